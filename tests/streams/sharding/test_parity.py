"""Whole and parts compared: equal ones are told equal, and of others the first tensor that differs is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx import load, numpy_helper, save

from headrace.core.catalog import Catalog
from headrace.core.registry.digest import describe_file
from headrace.core.registry.manifest import MANIFEST_FILE, encode_manifest
from headrace.core.registry.store import Registry
from headrace.streams.sharding.errors import PartsDifferError
from headrace.streams.sharding.parity import Parity, compare, refuse_difference
from headrace.streams.sharding.sharded import shard_model
from headrace.streams.sharding.version import Version
from headrace.streams.sharding.workbench import Wish

Add = Callable[..., str]
TEXTS = ("good", "the film was not good at all", "", "bad " * 70)


@pytest.fixture
def parts(catalog: Catalog, registry: Registry, add: Add) -> Version:
    return Version(registry, shard_model(registry, add(), Wish(3), catalog))


def spoil(version: Version, weight: str, factor: float, catalog: Catalog) -> Parity:
    """Multiply a weight wherever the parts have it, as if it had been cut wrongly, and compare."""
    registry, manifest = version
    folder = Path(registry.location) / "reviews/2"
    files = dict(manifest.files)
    for shard in manifest.shards or ():
        model = load(folder / shard.file)
        for tensor in model.graph.initializer:
            if tensor.name == weight:
                tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) * factor, weight))
        save(model, folder / shard.file)
        files[shard.file] = describe_file(folder / shard.file)
    spoilt = manifest.model_copy(update={"files": files})
    (folder / MANIFEST_FILE).write_bytes(encode_manifest(spoilt))
    return compare(catalog, Version(registry, registry.resolve("reviews@1")), Version(registry, spoilt), TEXTS)


def test_parts_of_the_whole_are_equal_to_it(catalog: Catalog, parts: Version) -> None:
    whole = Version(parts.registry, parts.registry.resolve("reviews@1"))
    parity = compare(catalog, whole, parts, TEXTS, half=True)
    assert parity.is_equal
    assert (parity.texts, parity.first) == (4, None)
    assert parity.half is not None
    assert 0 < parity.half.largest < 0.1
    assert parity.half.problem is None
    refuse_difference(parity, parts.manifest)


@pytest.mark.provokes("HR335")
def test_the_first_tensor_that_differs_is_named_with_its_part(catalog: Catalog, parts: Version) -> None:
    parity = spoil(parts, "table", 1.01, catalog)
    assert not parity.is_equal
    assert parity.first is not None
    made = (parts.manifest.shards or ())[0].makes
    assert (parity.first.part, parity.first.name in made) == (1, True)
    assert parity.first.difference > 1e-3
    with pytest.raises(
        PartsDifferError, match=rf"the first tensor that differs is '{parity.first.name}' of part 1, by"
    ):
        refuse_difference(parity, parts.manifest)


def test_a_fault_in_the_last_part_is_in_no_tensor_between(catalog: Catalog, parts: Version) -> None:
    parity = spoil(parts, "head", -1.0, catalog)
    assert not parity.is_equal
    assert parity.first is None
    assert parity.labels_changed == 8, "each text alone and among others"
    with pytest.raises(PartsDifferError, match="and 8 answers have another label or length; cut"):
        refuse_difference(parity, parts.manifest)


def test_half_precision_that_cannot_hold_the_numbers_is_told(catalog: Catalog, registry: Registry, add: Add) -> None:
    reference = add()
    folder = Path(registry.location) / "reviews/1"
    model = load(folder / "model.onnx")
    for tensor in model.graph.initializer:
        if tensor.name == "table":
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) * np.float32(1e6), "table"))
    save(model, folder / "model.onnx")
    manifest = registry.resolve(reference)
    manifest = manifest.model_copy(
        update={"files": {**manifest.files, "model.onnx": describe_file(folder / "model.onnx")}}
    )
    (folder / MANIFEST_FILE).write_bytes(encode_manifest(manifest))
    sharded = shard_model(registry, reference, Wish(2, "size"), catalog)
    parity = compare(catalog, Version(registry, manifest), Version(registry, sharded), TEXTS, half=True)
    assert parity.is_equal
    assert parity.half is not None
    assert "HR325" in str(parity.half.problem)
