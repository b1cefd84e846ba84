"""Models to register, in two files of bytes: the registry does not care what is in them."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from headrace.core.registry.folder import ModelSource
from headrace.core.registry.store import Registry

MakeSource = Callable[..., ModelSource]


@pytest.fixture
def source(tmp_path: Path) -> MakeSource:
    """Make a model to register; its graph holds the bytes given."""

    def make(graph: bytes = b"a graph", **fields: Any) -> ModelSource:
        folder = tmp_path / f"source-{secrets.token_hex(4)}"
        (folder / "onnx").mkdir(parents=True)
        (folder / "onnx" / "model.onnx").write_bytes(graph)
        (folder / "tokenizer.json").write_text("{}")
        facts = {
            "folder": folder,
            "graph": "onnx/model.onnx",
            "tokenizer": "tokenizer.json",
            "files": ("onnx/model.onnx", "tokenizer.json"),
            "labels": ("negative", "positive"),
            "max_tokens": 64,
        }
        return ModelSource(**{**facts, **fields})

    return make


@pytest.fixture
def local(tmp_path: Path) -> Registry:
    """A registry in a folder that does not exist yet."""
    return Registry(str(tmp_path / "registry"), clock=lambda: 1_700_000_000)


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[Registry]:
    """A registry in fsspec's memory: an object store, as far as the code can tell."""
    from fsspec.implementations.memory import MemoryFileSystem

    name = f"models-{secrets.token_hex(4)}"
    yield Registry(f"memory://{name}", cache=tmp_path / "cache")
    if MemoryFileSystem().exists(f"/{name}"):
        MemoryFileSystem().rm(f"/{name}", recursive=True)


@pytest.fixture(params=["local", "remote"])
def registry(request: pytest.FixtureRequest) -> Registry:
    """Both kinds: each promise is kept by both."""
    found: Registry = request.getfixturevalue(request.param)
    return found
