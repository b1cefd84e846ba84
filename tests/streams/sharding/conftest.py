"""Tiny models in a registry, to be cut."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from headrace.core.catalog import Catalog, installed_catalog
from headrace.core.registry.folder import read_folder
from headrace.core.registry.store import Registry
from tests.tiny_model import write_model

Add = Callable[..., str]


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    """The steps that are installed."""
    return installed_catalog()


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """A registry in a folder."""
    return Registry(str(tmp_path / "registry"))


@pytest.fixture
def add(registry: Registry, tmp_path: Path) -> Add:
    """Register a tiny model of four layers as `reviews`; kinks as in `write_model`, facts of the source in `facts`."""

    def make(*, facts: dict[str, Any] | None = None, **kinks: Any) -> str:
        folder = write_model(tmp_path / "model", **{"layers": 4, **kinks})
        return registry.add(replace(read_folder(folder), **(facts or {})), "reviews").reference

    return make
