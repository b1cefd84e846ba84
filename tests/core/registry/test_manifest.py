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
    error = refusal(json.dumps({"format": 2, "anything": "else"}).encode())
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
