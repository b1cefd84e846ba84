"""Tiny models in a registry, opened as a worker opens them."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from headrace import StepContext
from headrace.core.registry.folder import read_folder
from headrace.core.registry.store import Registry
from headrace.plugins.models.onnx import OnnxModel, OnnxOptions
from tests.tiny_model import write_model

MakeModel = Callable[..., OnnxModel]


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> StepContext:
    """A context whose registry is a folder of the module's own."""
    return StepContext(pipeline="reviews", name="expert", registry=str(tmp_path_factory.mktemp("registry")))


@pytest.fixture(scope="module")
def registry(context: StepContext) -> Registry:
    """The registry of the context."""
    return Registry(context.registry)


@pytest.fixture(scope="module")
def register(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Register a tiny model and return its reference; kinks as in `write_model`, other facts in `facts`."""

    def make(*, facts: dict[str, Any] | None = None, folder: Path | None = None, **kinks: Any) -> str:
        where = folder or write_model(tmp_path_factory.mktemp("model"), **kinks)
        source = replace(read_folder(where), **(facts or {}))
        return registry.add(source, f"tiny-{secrets.token_hex(4)}").reference

    return make


@pytest.fixture(scope="module")
def opened(context: StepContext, register: Callable[..., str]) -> Iterator[MakeModel]:
    """Open a tiny model; options of the step in `options`, the rest as in `register`."""
    models = []

    def make(*, options: dict[str, Any] | None = None, **kinks: Any) -> OnnxModel:
        model = OnnxModel(OnnxOptions.model_validate({"model": register(**kinks), **(options or {})}))
        models.append(model)
        model.open(context)
        return model

    yield make
    for model in models:
        with suppress(Exception):
            model.close()
