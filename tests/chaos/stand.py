"""The two pipelines of a run: one that faults strike, and one that judges the same input in peace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from headrace.core.registry.folder import read_folder
from headrace.core.registry.store import Registry
from tests.chaos import aside
from tests.chaos.load import LARGEST_BYTES, PARTITIONS
from tests.chaos.order import Scope
from tests.support.pipeline import Pipeline
from tests.tiny_model import write_model

__all__ = ["BATCH", "LAYOUTS", "Layout", "calm_pipeline", "register_model", "stormy_pipeline", "topics"]

BATCH = 64
_LABELS = {"labels": {"threshold": 0.6, "otherwise": "unsure"}}


class Layout(NamedTuple):
    """How the pipeline is cut into processes.

    Attributes:
        sections: `groups:` of its file.
        stages: for each group the stage of it that reads a topic.
        shares: which part of a record's time is spent where it enters, in the expert and at its end. Where these are
            processes of their own the first is the slowest, so that the input always lags.
        scope: within what the order of results is promised.
    """

    sections: Mapping[str, Any]
    stages: Mapping[str, str]
    shares: tuple[float, float, float]
    scope: Scope


LAYOUTS = {
    1: Layout({}, {"main": "ingress"}, (0.5, 0.25, 0.25), Scope.PARTITION),
    3: Layout(
        {"front": {"stages": ["ingress"], "models": ["quick"]}, "expert": {"models": ["expert"]}},
        {"front": "ingress", "expert": "expert", "main": "egress"},
        (1.0, 0.7, 0.5),
        Scope.PATH,
    ),
}
"""By the number of groups."""


def register_model(folder: Path) -> str:
    """Put a small transformer, made here, into a registry; return the registry's folder."""
    registry = Registry(str(folder / "registry"))
    registry.add(read_folder(write_model(folder / "tiny", layers=2)), "tiny")
    return registry.location


def stormy_pipeline(
    folder: Path,
    name: str,
    bootstrap: str,
    wired: str,
    registry: str,
    *,
    layout: Layout,
    pace_ms: float,
    guarantee: str,
    order: str,
    slow: str = "",
) -> Pipeline:
    """Return the pipeline that faults strike; its workers reach the broker at `wired`.

    At `pace_ms` the slowest process takes that long over a record.
    """
    front_ms, expert_ms, end_ms = (pace_ms * share for share in layout.shares)
    made = Pipeline(folder, name, bootstrap)
    front, end = (aside.moody(False), aside.moody(True)) if slow == "retry_topic" else ([], [])
    made.write(
        **_sections(name, name, registry, expert_ms=expert_ms),
        preprocess=["normalise", "fault", "deadly", *front, {"slow": {"ms": front_ms}}],
        postprocess=[_LABELS, {"deadly": {"word": "killlate"}}, *end, {"slow": {"ms": end_ms}}],
        groups=layout.sections or None,
        delivery={"guarantee": guarantee, "order": order, **(aside.delivery() if front else {})},
        broker={"bootstrap": wired},
    )
    return made


def calm_pipeline(folder: Path, name: str, source: str, bootstrap: str, registry: str) -> Pipeline:
    """Return a pipeline of one process that reads the same input, takes no time over it, and writes elsewhere.

    What kills the other one only fails here.
    """
    made = Pipeline(folder, name, bootstrap)
    made.write(
        **_sections(name, source, registry, expert_ms=0, raises=True),
        preprocess=["normalise", "fault", {"deadly": {"raises": True}}],
        postprocess=[_LABELS, {"deadly": {"word": "killlate", "raises": True}}],
    )
    return made


def topics(pipeline: Pipeline) -> dict[str, str]:
    """Return the output topics by their roles."""
    return {"out": f"{pipeline.name}.out", "alerts": f"{pipeline.name}.alerts"}


def _sections(name: str, source: str, registry: str, *, expert_ms: float, raises: bool = False) -> dict[str, Any]:
    both: Sequence[str] = ("quick", "expert")
    expert = {"model": "tiny@1", "threads": 1, "micro_batch": {"records": 16}, "ms": expert_ms, "raises": raises}
    return {
        "input": {"topic": source, "text": "body", "unit": "user", "max_bytes": LARGEST_BYTES},
        "models": {
            "quick": "lexicon",
            "expert": {"patient": expert},
        },
        "route": {"cascade": {"order": both, "accept": 0.8}},
        "experiments": {
            "expert-first": {
                "variants": {
                    "control": {},
                    "single": {"set": {"route": {"single": {"model": "expert"}}}},
                    "joined": {"set": {"route": {"parallel": {"models": both, "join": "average"}}}},
                }
            }
        },
        "output": [
            {"topic": {"name": f"{name}.out"}},
            {"topic": {"name": f"{name}.alerts", "when": "output.label == 'negative'"}},
        ],
        "registry": registry,
        "batch": {"max_records": BATCH},
        "topics": {"partitions": PARTITIONS},
    }
