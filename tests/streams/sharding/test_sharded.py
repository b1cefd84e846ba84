"""A model of the registry becomes a version in parts that answers as the whole, or nothing at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from headrace.core.catalog import Catalog
from headrace.core.registry.folder import read_folder
from headrace.core.registry.store import Registry
from headrace.streams.model_trial import tried
from headrace.streams.sharding import library, workbench
from headrace.streams.sharding.errors import NoPlaceToCutError, PartsDifferError, ShardedAlreadyError
from headrace.streams.sharding.parity import compare
from headrace.streams.sharding.sharded import shard_model
from headrace.streams.sharding.texts import OWN
from headrace.streams.sharding.version import Version
from headrace.streams.sharding.workbench import Wish
from tests.graphs import BEGIN, COLUMN, IDS, end, graph, node
from tests.tiny_model import write_model

Add = Callable[..., str]


def equal(catalog: Catalog, registry: Registry) -> bool:
    whole, sharded = (Version(registry, registry.resolve(f"reviews@{version}")) for version in (1, 2))
    return compare(catalog, whole, sharded, OWN).is_equal


@pytest.mark.parametrize("wish", [Wish(2), Wish(3), Wish(4, "size")], ids=str)
@pytest.mark.parametrize("skip", [False, True], ids=["a chain", "a tensor that jumps"])
def test_parts_answer_as_the_whole(catalog: Catalog, registry: Registry, add: Add, wish: Wish, skip: bool) -> None:
    manifest = shard_model(registry, add(skip=skip), wish, catalog)
    assert manifest.reference == "reviews@2"
    assert manifest.graph is None
    assert len(manifest.shards or ()) == wish.parts
    assert set(manifest.files) == {
        *(f"part-{at + 1}.onnx" for at in range(wish.parts)),
        "tokenizer.json",
        "config.json",
    }
    assert sum(shard.share for shard in manifest.shards or ()) == pytest.approx(1, abs=0.01)
    assert manifest.lineage["sharded_from"] == "reviews@1"
    assert manifest.lineage["cut"] == f"{wish.parts} parts by {wish.by}"
    assert manifest.labels == ("negative", "positive")
    assert equal(catalog, registry)


@pytest.mark.parametrize(
    "kinks",
    [
        {"inputs": ["input_ids", "attention_mask"]},
        {"integer": 6},
        {"first": "hidden"},
        {"output": "answers"},
        {"types": True},
        {"logits": 1},
        {"inputs": ["input_ids"]},
        {"facts": {"batch_invariant": False}},
    ],
    ids=str,
)
def test_exports_of_many_kinds_can_be_cut(
    catalog: Catalog, registry: Registry, add: Add, kinks: dict[str, Any]
) -> None:
    manifest = shard_model(registry, add(**kinks), Wish(2, "size"), catalog)
    alone = kinks in ({"inputs": ["input_ids"]}, {"facts": {"batch_invariant": False}})
    assert [shard.trims for shard in manifest.shards or ()] == [not alone, False]
    assert equal(catalog, registry)


def test_a_model_of_one_layer_can_be_cut_where_it_takes_longest(catalog: Catalog, registry: Registry, add: Add) -> None:
    shard_model(registry, add(layers=1), Wish(2), catalog)
    assert equal(catalog, registry)


def test_a_model_that_mixes_the_texts_of_a_run_can_be_cut_since_it_runs_them_alone(
    catalog: Catalog, registry: Registry, tmp_path: Path
) -> None:
    from onnxruntime.quantization import quantize_dynamic

    folder = write_model(tmp_path / "model", layers=4)
    (folder / "model.onnx").rename(folder / "whole.onnx")
    quantize_dynamic(folder / "whole.onnx", folder / "model.onnx")
    source = tried(read_folder(folder), "reviews", 1, catalog)
    assert not source.batch_invariant
    registry.add(source, "reviews")
    manifest = shard_model(registry, "reviews@1", Wish(2), catalog)
    assert not manifest.batch_invariant
    assert equal(catalog, registry)


def test_an_alias_moves_to_the_parts(catalog: Catalog, registry: Registry, add: Add) -> None:
    registry.set_alias("reviews", "prod", int(add().partition("@")[2]))
    shard_model(registry, "reviews@prod", Wish(2), catalog, alias="prod")
    assert registry.aliases("reviews") == {"prod": 2}


def test_weights_in_a_file_of_their_own_end_in_files_of_the_parts(
    catalog: Catalog, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_model(tmp_path / "model", layers=4) / "model.onnx"
    onnx.save(onnx.load(path), path, save_as_external_data=True, location="model.onnx.data", size_threshold=100)
    registry.add(read_folder(tmp_path / "model"), "reviews")
    monkeypatch.setattr(workbench, "write_graph", lambda model, path: library.write_graph(model, path, most_bytes=900))
    manifest = shard_model(registry, "reviews@1", Wish(2, "size"), catalog)
    first, second = manifest.shards or ()
    assert (first.weights, second.weights) == ("part-1.onnx.data", None)
    assert "model.onnx.data" not in manifest.files
    assert equal(catalog, registry)


def test_what_is_being_done_is_told(catalog: Catalog, registry: Registry, add: Add) -> None:
    told: list[str] = []
    shard_model(registry, add(), Wish(2), catalog, tell=told.append)
    assert told[0] == "reading reviews@1"
    assert told[-1] == "comparing the parts with the whole"


@pytest.mark.provokes("HR332")
def test_more_parts_than_there_are_places_are_refused(catalog: Catalog, registry: Registry, add: Add) -> None:
    reference = add()
    with pytest.raises(NoPlaceToCutError, match=r"has (\d+) places to cut; 40 parts need 39") as caught:
        shard_model(registry, reference, Wish(40), catalog)
    assert caught.value.mend.startswith("ask for at most ")
    assert [listed.version for listed in registry.list()] == [1]


@pytest.mark.provokes("HR332")
def test_a_graph_is_not_cut_where_the_batch_is_folded_into_another_axis(
    catalog: Catalog, registry: Registry, tmp_path: Path
) -> None:
    folded = [
        node("Reshape", ["begin", "flat"], "one"),
        node("MatMul", ["one", "square"], "two"),
        node("Tanh", ["two"], "three"),
        node("Shape", [IDS], "size"),
        node("Concat", ["size", "width"], "full", axis=0),
        node("Reshape", ["three", "full"], "four"),
    ]
    weights = {"flat": np.array([-1, 4], np.int64), "width": np.array([4], np.int64)}
    folder = write_model(tmp_path / "model")
    onnx.save(graph([*COLUMN, *BEGIN, *folded, *end("four")], weights), folder / "model.onnx")
    registry.add(read_folder(folder), "reviews")
    manifest = shard_model(registry, "reviews@1", Wish(5), catalog)
    ends = [shard.makes for shard in manifest.shards or ()][:-1]
    assert ends == [("begin",), ("four",), ("end_seen",), ("end_sum",)]
    with pytest.raises(NoPlaceToCutError, match="has 4 places to cut; 6 parts need 5"):
        shard_model(registry, "reviews@1", Wish(6), catalog)


@pytest.mark.provokes("HR333")
def test_parts_are_not_cut_again(catalog: Catalog, registry: Registry, add: Add) -> None:
    shard_model(registry, add(), Wish(2), catalog)
    with pytest.raises(ShardedAlreadyError) as caught:
        shard_model(registry, "reviews@2", Wish(2), catalog)
    assert str(caught.value) == "HR333 reviews@2 has 2 parts already; use reviews@1"


def test_parts_that_differ_are_not_registered(
    catalog: Catalog, registry: Registry, add: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoilt(model: Any, path: Path) -> Path | None:
        for tensor in model.graph.initializer:
            if tensor.name == "head":
                tensor.CopyFrom(numpy_helper.from_array(-numpy_helper.to_array(tensor), "head"))
        return library.write_graph(model, path)

    monkeypatch.setattr(workbench, "write_graph", spoilt)
    reference = add()
    with pytest.raises(PartsDifferError):
        shard_model(registry, reference, Wish(2), catalog)
    assert [listed.version for listed in registry.list()] == [1]
