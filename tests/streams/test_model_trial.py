"""The trial before an import: what it finds out, and that nothing is left behind."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from headrace.core.catalog import Catalog, installed_catalog
from headrace.core.config.errors import UnknownStepError
from headrace.core.errors import HeadraceError
from headrace.core.registry.folder import ModelSource, read_folder
from headrace.streams.model_trial import tried
from tests.tiny_model import write_model


@pytest.fixture(autouse=True)
def trials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where trials happen."""
    folder = tmp_path / "trials"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def trial(source: ModelSource) -> ModelSource:
    return tried(source, "reviews", 3, installed_catalog())


def test_a_trial_learns_the_inputs_and_leaves_nothing(tmp_path: Path, trials: Path) -> None:
    found = trial(read_folder(write_model(tmp_path / "model", inputs=["attention_mask", "input_ids"])))
    assert found.inputs == ("attention_mask", "input_ids")
    assert found.batch_invariant
    assert list(trials.iterdir()) == []


def test_a_graph_without_a_mask_answers_alone_and_together_alike(tmp_path: Path) -> None:
    assert trial(read_folder(write_model(tmp_path / "model", inputs=["input_ids"]))).batch_invariant


def test_dynamic_quantisation_is_found_out(tmp_path: Path) -> None:
    from onnxruntime.quantization import quantize_dynamic

    folder = write_model(tmp_path / "model")
    (folder / "model.onnx").rename(folder / "whole.onnx")
    quantize_dynamic(folder / "whole.onnx", folder / "model.onnx")
    assert not trial(read_folder(folder, graph="model.onnx")).batch_invariant
    assert trial(read_folder(folder, graph="whole.onnx")).batch_invariant


@pytest.mark.provokes("HR327")
def test_a_length_that_the_graph_does_not_take_is_found_before_it_is_registered(tmp_path: Path) -> None:
    import onnx

    folder = write_model(tmp_path / "model")
    model = onnx.load(folder / "model.onnx")
    positions = onnx.numpy_helper.from_array(onnx.numpy_helper.np.zeros((1, 600, 8), "float32"), "positions")
    first = onnx.helper.make_node("Shape", ["input_ids"], ["size"], start=1)
    for name, value in (("zero", [0]), ("one1", [1])):
        model.graph.initializer.append(onnx.numpy_helper.from_array(onnx.numpy_helper.np.array(value), name))
    model.graph.initializer.append(positions)
    added = onnx.helper.make_node("Slice", ["positions", "zero", "size", "one1"], ["here"])
    final = onnx.helper.make_node("Add", ["plain", "here"], ["embedded"])
    nodes = list(model.graph.node)
    nodes[2].output[0] = "plain"
    del model.graph.node[:]
    model.graph.node.extend([*nodes[:3], first, added, final, *nodes[3:]])
    onnx.save(model, folder / "model.onnx")

    trial(read_folder(folder, max_tokens=600))
    with pytest.raises(HeadraceError) as caught:
        trial(read_folder(folder, max_tokens=601))
    assert caught.value.code == "HR327"
    assert "lower max_tokens" in caught.value.mend


@pytest.mark.provokes("HR323")
def test_a_refusal_names_the_version_to_be_and_leaves_nothing(tmp_path: Path, trials: Path) -> None:
    with pytest.raises(HeadraceError) as caught:
        trial(read_folder(write_model(tmp_path / "model", logits=3)))
    assert caught.value.fault.startswith("reviews@3: the graph gives 3 logits")
    assert list(trials.iterdir()) == []


def test_a_catalog_without_the_step_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnknownStepError, match="onnx"):
        tried(read_folder(write_model(tmp_path / "model")), "reviews", 1, Catalog())
