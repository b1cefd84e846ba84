"""What a plan notes of itself on the control topic, so that a worker that cannot belong to it does not start."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headrace.core.plan.plan import Plan
from headrace.core.wire.control import PlanSeen
from headrace.streams.errors import OtherModelError

__all__ = ["plan_note", "refuse_other_models"]


def plan_note(plan: Plan) -> dict[str, Any]:
    """Return the hash of each version of a model, and the version of each stage of one."""
    models = list(plan.model_plans())
    return {
        "hashes": {model.facts.version: model.facts.hash for _, model in models if model.facts.hash},
        "versions": {base: model.facts.version for base, model in models},
    }


def refuse_other_models(plan: Plan, seen: Mapping[str, PlanSeen]) -> None:
    """Refuse a registry that has other bytes under a version than the one that the pipeline ran with.

    Raises:
        OtherModelError: HR232.
    """
    for version, found in plan_note(plan)["hashes"].items():
        for note in seen.values():
            known = note.facts.get("hashes", {}).get(version, found)
            if known != found:
                raise OtherModelError(
                    f"{version} has hash {found[:12]} in {plan.registry}, and the pipeline ran with {known[:12]}",
                    mend="give this worker the same registry, or register the model as a new version",
                )
