"""Which versions moved aliases stand for now, and which models of a plan are named by them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import NamedTuple

from headrace.core.control import Settings
from headrace.core.errors import HeadraceError
from headrace.core.plan.plan import ModelPlan, Plan
from headrace.core.step import ModelFacts
from headrace.streams.model_version import version_facts

__all__ = ["VersionMove", "VersionMoves", "moved_numbers"]

log = logging.getLogger(__name__)


class VersionMove(NamedTuple):
    """A version that an alias stands for now, and the models of the plan that are named by it, as bases of stages."""

    version: str
    bases: tuple[str, ...]

    @property
    def model(self) -> str:
        """The name in the registry."""
        return self.version.partition("@")[0]

    @property
    def number(self) -> str:
        """The version's number."""
        return self.version.partition("@")[2]


class VersionMoves:
    """Resolves moved aliases, each once: the registry may be far away."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._facts: dict[tuple[str, str], ModelFacts | None] = {}

    def of(self, aliases: Mapping[str, int]) -> list[VersionMove]:
        """Return what aliases stand for that were moved; those that stand for nothing that there is are left out."""
        found: dict[str, list[str]] = {}
        for base, model in self._plan.model_plans():
            facts = self._wanted(base, model, aliases)
            if facts is not None:
                found.setdefault(facts.version, []).append(base)
        return [VersionMove(version, tuple(bases)) for version, bases in found.items()]

    def _wanted(self, base: str, model: ModelPlan, aliases: Mapping[str, int]) -> ModelFacts | None:
        reference = model.facts.reference
        if reference is None or reference not in aliases:
            return None
        key = base, f"{reference}={aliases[reference]}"
        if key not in self._facts:
            try:
                self._facts[key] = version_facts(self._plan, model, aliases[reference])
            except HeadraceError as error:
                log.warning("%s cannot become version %d: %s", reference, aliases[reference], error)
                self._facts[key] = None
        return self._facts[key]


def moved_numbers(settings: Settings) -> dict[str, int]:
    """Return the version of each alias that was moved."""
    return {reference: int(version) for reference, version in settings.aliases().items() if version.isdigit()}
