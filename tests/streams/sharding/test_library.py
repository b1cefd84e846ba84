"""Reading and writing graphs, also those whose weights need a file of their own."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from headrace.streams.sharding.errors import ShardExtraError
from headrace.streams.sharding.library import graph_files, import_onnx, open_session, read_graph, write_graph
from tests.graphs import BEGIN, COLUMN, end, feeds, graph, run

MODEL = (*COLUMN, *BEGIN, *end("begin"))


def test_weights_that_are_too_many_lie_beside_the_graph(tmp_path: Path) -> None:
    big = {"table": np.ones((100, 400), np.float32), "head": np.ones((400, 2), np.float32)}
    expected = run(graph(MODEL, big), feeds(2, 3))
    beside = write_graph(graph(MODEL, big), tmp_path / "part-1.onnx", most_bytes=1000)
    assert beside == tmp_path / "part-1.onnx.data"
    assert (tmp_path / "part-1.onnx").stat().st_size < 2000
    assert graph_files(tmp_path / "part-1.onnx") == {tmp_path / "part-1.onnx", beside}
    np.testing.assert_allclose(run(read_graph(tmp_path / "part-1.onnx"), feeds(2, 3))[0], expected[0])
    assert open_session(tmp_path / "part-1.onnx").run(None, feeds(2, 3))[0].shape == (2, 2)


def test_other_graphs_are_one_file(tmp_path: Path) -> None:
    assert write_graph(graph(MODEL), tmp_path / "part-1.onnx") is None
    assert graph_files(tmp_path / "part-1.onnx") == {tmp_path / "part-1.onnx"}


@pytest.mark.provokes("HR330")
def test_a_missing_extra_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ShardExtraError) as caught:
        import_onnx()
    assert caught.value.mend == "pip install 'headrace[shard]'"
