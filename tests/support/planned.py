"""Plans of pipelines whose models do nothing real, made in one line."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from headrace.core.catalog import Catalog, installed_catalog
from headrace.core.options import Options
from headrace.core.plan.compile import compile_file
from headrace.core.plan.plan import Plan
from headrace.core.record import Batch, Output
from headrace.core.step import ModelFacts, ShardFacts, StepContext

__all__ = ["compiled", "installed_and", "planned"]


class CutOptions(Options):
    """What the tests' model says of itself."""

    version: str = "cut@1"
    parts: int = 0
    labels: tuple[str, ...] = ()


class Cut:
    """A model that is as often cut as its options say; it is never opened."""

    def __init__(self, options: CutOptions) -> None:
        self._options = options

    def infer(self, batch: Batch) -> Sequence[Output]:
        """Return nothing for each record."""
        return [{} for _ in batch]

    def facts(self, context: StepContext) -> ModelFacts:
        """Return its version and parts."""
        parts = tuple(ShardFacts(1, str(at)) for at in range(self._options.parts))
        return ModelFacts(version=self._options.version, labels=self._options.labels, shards=parts)


def installed_and(register: Callable[[Catalog], None]) -> Catalog:
    """Return the installed steps and those that the tests register."""
    catalog = Catalog()
    for spec in installed_catalog().specs():
        catalog._distribution = spec.distribution
        catalog._add(spec.kind, spec.name, spec.factory, spec.options)
    catalog._distribution = "tests"
    register(catalog)
    return catalog


def planned(folder: Path, catalog: Catalog, **sections: Any) -> Plan:
    """Return the plan of a file that says what the sections say; pipeline, input and output are there already."""
    said: Mapping[str, Any] = {
        "headrace": 1,
        "pipeline": "reviews",
        "input": {"topic": "reviews", "text": "text"},
        "models": {"echo": "echo"},
        "output": [{"topic": {"name": "reviews.out"}}],
        **sections,
    }
    file = folder / "p.yaml"
    file.write_text("".join(f"{key}: {json.dumps(value)}\n" for key, value in said.items()))
    return compile_file(file, registry=str(folder), catalog=catalog, environ={})


def compiled(folder: Path, **sections: Any) -> Plan:
    """Return the plan of a cascade of `quick` and `expert` that says what the sections say."""
    said: Mapping[str, Any] = {
        "input": {"topic": "reviews", "text": "text", "unit": "user"},
        "models": {"quick": {"cut": {"version": "quick@1"}}, "expert": {"cut": {"version": "expert@1", "parts": 2}}},
        "route": {"cascade": {"order": ["quick", "expert"], "accept": 0.9}},
        **sections,
    }
    return planned(folder, installed_and(lambda catalog: catalog.model("cut", Cut, options=CutOptions)), **said)
