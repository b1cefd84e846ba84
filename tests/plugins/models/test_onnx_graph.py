"""Graphs that cannot be loaded or run: each error of onnxruntime becomes one of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from headrace.core.errors import HeadraceError
from headrace.plugins.models.errors import (
    GraphFailedError,
    GraphInputsError,
    GraphOutputError,
    GraphUnreadableError,
    ModelLibraryError,
    ModelMemoryError,
)
from headrace.plugins.models.onnx_batch import Padded
from headrace.plugins.models.onnx_graph import Graph, open_graph
from headrace.plugins.models.onnx_provider import import_onnxruntime
from tests.tiny_model import write_graph

OWN = vars(onnxruntime.capi.onnxruntime_pybind11_state).values()
RAISED = [one for one in OWN if isinstance(one, type) and issubclass(one, Exception)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_graph(tmp_path / "model.onnx")
    return tmp_path / "model.onnx"


def opened(path: Path) -> Graph:
    return open_graph(path, threads=1, providers=None)


def refusal(path: Path) -> HeadraceError:
    with pytest.raises(HeadraceError) as caught:
        opened(path)
    return caught.value


def ids(*values: int) -> Padded:
    found = np.array([values], dtype=np.int64)
    return Padded(found, np.ones_like(found), np.zeros_like(found))


class FailingSession:
    """Stands in for a session whose run raises."""

    def __init__(self, session: Any, error: BaseException) -> None:
        self._session, self._error = session, error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def run(self, *_: Any) -> Any:
        raise self._error


def run_raising(path: Path, error: BaseException) -> HeadraceError:
    graph = opened(path)
    graph._session = FailingSession(graph._session, error)
    with pytest.raises(HeadraceError) as caught:
        graph.run(ids(2, 3))
    return caught.value


def test_the_tests_below_see_the_errors_of_onnxruntime() -> None:
    assert len(RAISED) > 10


@pytest.mark.provokes("HR327")
@pytest.mark.parametrize("kind", [*RAISED, RuntimeError, ValueError], ids=lambda kind: kind.__name__)
def test_every_error_of_a_run_is_mapped(path: Path, kind: type[Exception]) -> None:
    error = run_raising(path, kind("[ONNXRuntimeError] : 1 : FAIL : two\nlines"))
    assert isinstance(error, GraphFailedError)
    assert "a run of 1 x 2 tokens: 1 : FAIL : two lines" in error.fault


@pytest.mark.provokes("HR326")
@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RAISED[0]("std::bad_alloc"),
        RAISED[0]("BFCArena: Failed to allocate memory for requested buffer of size 12345"),
        RAISED[0]("CUDA failure 2: out of memory"),
    ],
)
def test_no_memory_is_told_apart(path: Path, error: Exception) -> None:
    found = run_raising(path, error)
    assert isinstance(found, ModelMemoryError)
    assert "micro_batch.records" in found.mend


@pytest.mark.provokes("HR327")
def test_ids_that_the_graph_does_not_know_fail_by_name(path: Path) -> None:
    with pytest.raises(GraphFailedError, match="out of data bounds"):
        opened(path).run(ids(1_000_000))


@pytest.mark.provokes("HR321")
@pytest.mark.parametrize("content", [b"", b"no graph", b"\x08" * 100])
def test_a_file_that_is_no_graph_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    error = refusal(path)
    assert isinstance(error, GraphUnreadableError)
    assert "model.onnx" in error.fault
    assert str(path.parent) not in error.fault


@pytest.mark.provokes("HR321")
def test_weights_that_are_missing_beside_the_graph_are_named(tmp_path: Path) -> None:
    import onnx

    write_graph(tmp_path / "whole.onnx")
    onnx.save(
        onnx.load(tmp_path / "whole.onnx"),
        tmp_path / "model.onnx",
        save_as_external_data=True,
        location="model.onnx_data",
        size_threshold=200,
    )
    opened(tmp_path / "model.onnx")
    (tmp_path / "model.onnx_data").unlink()
    assert "model.onnx_data" in refusal(tmp_path / "model.onnx").fault


@pytest.mark.provokes("HR321")
def test_an_opset_of_the_future_asks_for_an_update(path: Path) -> None:
    import onnx

    model = onnx.load(path)
    model.opset_import[0].version = 999
    path.write_bytes(model.SerializeToString())
    assert "update onnxruntime" in refusal(path).mend


@pytest.mark.provokes("HR322")
def test_inputs_that_no_text_has_are_listed(path: Path) -> None:
    import onnx

    model = onnx.load(path)
    model.graph.input.append(onnx.helper.make_tensor_value_info("pixel_values", 1, ["texts", 3]))
    path.write_bytes(model.SerializeToString())
    error = refusal(path)
    assert isinstance(error, GraphInputsError)
    assert "pixel_values" in error.fault


@pytest.mark.provokes("HR322")
def test_inputs_that_are_not_integers_are_refused(tmp_path: Path) -> None:
    from onnx import TensorProto, helper, save

    shape = ["texts", "tokens"]
    graph = helper.make_graph(
        [helper.make_node("Identity", ["input_ids"], ["logits"])],
        "odd",
        [helper.make_tensor_value_info("input_ids", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, shape)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    save(model, str(tmp_path / "model.onnx"))
    assert isinstance(refusal(tmp_path / "model.onnx"), GraphInputsError)


@pytest.mark.provokes("HR323")
def test_an_output_that_is_no_logits_is_refused(tmp_path: Path) -> None:
    from onnx import TensorProto, helper, save

    shape = ["texts", "tokens"]
    graph = helper.make_graph(
        [helper.make_node("Identity", ["input_ids"], ["ids"])],
        "odd",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, shape)],
        [helper.make_tensor_value_info("ids", TensorProto.INT64, shape)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    save(model, str(tmp_path / "model.onnx"))
    error = refusal(tmp_path / "model.onnx")
    assert isinstance(error, GraphOutputError)
    assert "tensor(int64)" in error.fault


def test_threads_and_spinning_are_what_was_asked(path: Path) -> None:
    settings = open_graph(path, threads=3, providers=None)._session.get_session_options()
    assert (settings.intra_op_num_threads, settings.inter_op_num_threads) == (3, 1)
    assert settings.get_session_config_entry("session.intra_op.allow_spinning") == "0"


@pytest.mark.provokes("HR328")
def test_an_onnxruntime_that_cannot_be_imported_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ModelLibraryError, match="onnxruntime cannot be imported"):
        import_onnxruntime()
