"""The manifest: read back as written, and refused when it is not one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.core.registry.errors import ManifestUnreadableError
from headrace.core.registry.manifest import Manifest, decode_manifest, encode_manifest

SHA = "0" * 64
WHOLE: dict[str, Any] = {
    "format": 1,
    "name": "reviews",
    "version": 3,
    "task": "text-classification",
    "graph": "onnx/model.onnx",
    "tokenizer": "tokenizer.json",
    "inputs": ["input_ids"],
    "labels": ["negative", "positive"],
    "max_tokens": 64,
    "batch_invariant": True,
    "files": {"onnx/model.onnx": {"sha256": SHA, "size": 7}, "tokenizer.json": {"sha256": SHA, "size": 2}},
    "shards": None,
    "lineage": {"folder": "model"},
    "created": "2026-11-23T20:00:00+00:00",
}


STATE = {"name": "state", "dtype": "float32", "shape": ["batch", "tokens", 384]}
MASK = {"name": "mask", "dtype": "int64", "shape": ["batch", "tokens"]}
FILES = {"sha256": SHA, "size": 5}
SHARDS: list[dict[str, Any]] = [
    {"file": "part-1.onnx", "inputs": ["ids", "mask"], "outputs": [STATE, MASK], "passes": ["mask"], "share": 0.4},
    {"file": "part-2.onnx", "inputs": ["state"], "outputs": [STATE, MASK], "passes": ["mask"], "share": 0.4},
    {"file": "part-3.onnx", "inputs": ["state", "mask"], "share": 0.2},
]
SHARDED: dict[str, Any] = {
    **WHOLE,
    "format": 2,
    "graph": None,
    "inputs": ["ids", "mask"],
    "shards": SHARDS,
    "files": {**{f"part-{at}.onnx": {**FILES, "sha256": str(at) * 64} for at in (1, 2, 3)}, "tokenizer.json": FILES},
}


def read(value: Any) -> Manifest:
    return decode_manifest(json.dumps(value).encode(), name="reviews", version=3)


def refusal(data: bytes) -> ManifestUnreadableError:
    with pytest.raises(ManifestUnreadableError) as caught:
        decode_manifest(data, name="reviews", version=3)
    return caught.value


def changed(**changes: Any) -> Manifest:
    return Manifest.model_validate({**WHOLE, **changes})


@given(labels=st.lists(st.text(st.characters(codec="utf-8"), min_size=1), min_size=2, unique=True))
def test_a_manifest_reads_back_as_it_was_written(labels: list[str]) -> None:
    manifest = changed(labels=labels)
    assert decode_manifest(encode_manifest(manifest), name="reviews", version=3) == manifest


def test_it_knows_its_reference_and_its_size() -> None:
    assert (changed().reference, changed().size_bytes) == ("reviews@3", 9)


@pytest.mark.provokes("HR304")
@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b"null", b"[]", b'"text"', b"{}", b"[" * 100_000])
def test_garbage_is_refused_in_one_line_that_names_the_version(data: bytes) -> None:
    error = refusal(data)
    assert "reviews@3" in error.fault
    assert "\n" not in str(error)
    assert len(str(error)) < 300


@given(data=st.binary() | st.recursive(st.none() | st.text(), st.lists).map(lambda value: json.dumps(value).encode()))
def test_no_bytes_at_all_raise_anything_else(data: bytes) -> None:
    refusal(data)


@pytest.mark.provokes("HR304")
@pytest.mark.parametrize(
    "path",
    ["../evil", "/etc/passwd", "a/../../evil", "", ".", "..", "a//b", "a/", "./a", "a\\b", "a\0b", "manifest.json"],
)
def test_a_file_outside_of_the_folder_is_refused(path: str) -> None:
    error = refusal(json.dumps({**WHOLE, "files": {**WHOLE["files"], path: {"sha256": SHA, "size": 1}}}).encode())
    assert "is not the path of a file inside" in error.fault


@pytest.mark.provokes("HR304")
@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"graph": "other.onnx"}, "'other.onnx' is not among its files"),
        ({"graph": "../model.onnx"}, "inside the model's folder"),
        ({"tokenizer": "other.json"}, "'other.json' is not among its files"),
        ({"labels": ["a", "a"]}, "a label stands twice"),
        ({"labels": ["a"]}, "labels"),
        ({"task": "generation"}, "task"),
        ({"shards": 2}, "shards"),
        ({"files": {}}, "files"),
        ({"files": {"onnx/model.onnx": {"sha256": "abc", "size": 1}}}, "sha256"),
        ({"files": {"onnx/model.onnx": {"sha256": SHA, "size": -1}}}, "size"),
        ({"surprise": 1}, "surprise"),
        ({"name": "other"}, "is that of other@3"),
        ({"version": 4}, "is that of reviews@4"),
    ],
)
def test_what_does_not_hold_together_is_refused(changes: dict[str, Any], fault: str) -> None:
    assert fault in refusal(json.dumps({**WHOLE, **changes}).encode()).fault


@pytest.mark.provokes("HR304")
def test_a_newer_format_asks_for_a_newer_headrace() -> None:
    error = refusal(json.dumps({"format": 4, "anything": "else"}).encode())
    assert error.mend == "update headrace"


def test_the_hash_is_that_of_the_content_and_not_of_the_name_or_time() -> None:
    assert changed(name="other", version=9, created="later", lineage={}, inputs=[]).hash == changed().hash


@pytest.mark.parametrize(
    "changes",
    [
        {"labels": ["positive", "negative"]},
        {"max_tokens": 63},
        {"files": {**WHOLE["files"], "tokenizer.json": {"sha256": "1" * 64, "size": 2}}},
        {"files": {**WHOLE["files"], "config.json": {"sha256": SHA, "size": 2}}},
    ],
)
def test_whatever_decides_a_result_changes_the_hash(changes: dict[str, Any]) -> None:
    assert changed(**changes).hash != changed().hash


def test_a_whole_manifest_is_read() -> None:
    assert read(WHOLE).graph == "onnx/model.onnx"


# -- shards


def shard(at: int, **changes: Any) -> dict[str, Any]:
    """Return the sharded manifest with one part changed."""
    return {**SHARDED, "shards": [{**one, **changes} if here == at else one for here, one in enumerate(SHARDS)]}


def test_a_sharded_manifest_reads_back_as_it_was_written() -> None:
    manifest = read(SHARDED)
    assert decode_manifest(encode_manifest(manifest), name="reviews", version=3) == manifest
    first, second, _ = manifest.shards or ()
    assert (first.makes, second.passes) == (("state",), ("mask",))
    assert str(first.outputs[0]) == "state float32[batch, tokens, 384]"
    assert (first.outputs[0].row(7), first.outputs[0].row_bytes(7)) == ((7, 384), 7 * 384 * 4)


@pytest.mark.parametrize(
    "changed",
    [
        shard(0, inputs=["ids"]),
        shard(0, outputs=[{**STATE, "shape": ["batch", "tokens", 385]}, MASK]),
        {**SHARDED, "files": {**SHARDED["files"], "part-3.onnx": {**FILES, "sha256": "9" * 64}}},
    ],
)
def test_whatever_decides_a_sharded_result_changes_the_hash(changed: dict[str, Any]) -> None:
    assert read(changed).hash != read(SHARDED).hash
    assert read(SHARDED).hash != read(WHOLE).hash
    assert read(shard(0, share=0.5)).hash == read(SHARDED).hash


def test_a_part_has_its_own_files_and_only_the_first_one_those_of_the_tokenizer() -> None:
    manifest = read(SHARDED)
    assert [sorted(manifest.part(at).files) for at in range(3)] == [
        ["part-1.onnx", "tokenizer.json"],
        ["part-2.onnx"],
        ["part-3.onnx"],
    ]
    assert len({manifest.part(at).hash for at in range(3)}) == 3


@pytest.mark.provokes("HR304")
@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ({**SHARDED, "graph": "tokenizer.json"}, "either a graph or shards"),
        ({**WHOLE, "graph": None}, "either a graph or shards"),
        ({**SHARDED, "shards": SHARDS[2:]}, "at least two parts"),
        ({**SHARDED, "shards": []}, "at least two parts"),
        (shard(1, file="part-1.onnx"), "two parts share a file"),
        (shard(1, file="part-4.onnx"), "'part-4.onnx' is not among its files"),
        (shard(1, weights="part-2.data"), "'part-2.data' is not among its files"),
        (shard(0, inputs=["other"]), "part 1 needs 'other', which nothing before it gives"),
        (shard(1, outputs=[STATE], passes=[]), "part 3 needs 'mask', which nothing before it gives"),
        (shard(0, outputs=[STATE, STATE, MASK]), "part 1 gives a tensor twice"),
        (shard(0, passes=["ids"]), "passes one that it does not give"),
        (shard(2, outputs=[STATE]), "part 3 is the last one and gives tensors"),
        (shard(1, outputs=[], passes=[]), "part 2 gives nothing"),
        (shard(0, outputs=[{**STATE, "shape": ["tokens", 384]}]), "has to be 'batch'"),
        (shard(0, outputs=[{**STATE, "shape": ["batch", "batch"]}]), "has to be 'batch'"),
        (shard(0, outputs=[{**STATE, "shape": ["batch", "heads"]}]), "shape"),
        (shard(0, outputs=[{**STATE, "dtype": "text"}]), "dtype"),
    ],
)
def test_parts_that_do_not_hold_together_are_refused(value: dict[str, Any], fault: str) -> None:
    assert fault in refusal(json.dumps(value).encode()).fault
