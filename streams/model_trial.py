"""Try a model before it is registered: it must open and answer, for short texts and for long ones."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from headrace.core.catalog import Catalog
from headrace.core.record import Batch, Position, Record
from headrace.core.registry.folder import ModelSource
from headrace.core.registry.store import Registry
from headrace.core.step import StepContext
from headrace.streams.registry_step import registry_step

__all__ = ["tried"]

_TEXTS = ("", "Good.", "The film was good, and then it was not.", "One would have to see it to believe it: " * 8)
# Attention grows with the square of the length: at 8,192 tokens a trial could need gigabytes.
_LONGEST_TRIED = 2048
_NOISE = 1e-5


def tried(source: ModelSource, name: str, version: int, catalog: Catalog) -> ModelSource:
    """Return the source with what only a running model tells: its inputs, and whether texts can share a run.

    Args:
        source: what is to be registered.
        name: its name, for messages.
        version: its number, for messages.
        catalog: brings the step that runs it.

    Raises:
        HeadraceError: what the model's step says: it cannot be opened, or does not answer.
    """
    with tempfile.TemporaryDirectory(prefix="headrace-trial-") as folder:
        manifest = Registry(folder).add(source, name, version=version)
        step = registry_step(catalog, manifest.reference)
        try:
            step.open(StepContext(pipeline="trial", name="trial", registry=folder))
            looked = step.look()
            if looked is not None:
                return replace(source, **{**looked._asdict(), "scores": source.scores or looked.scores})
            if source.max_tokens <= _LONGEST_TRIED:
                step.infer(_batch(["a " * source.max_tokens]))
            invariant = _is_invariant(step)
            return replace(source, inputs=tuple(getattr(step, "inputs", ())), batch_invariant=invariant)
        finally:
            step.close()


def _is_invariant(step: Any) -> bool:
    """Compare each text alone with the same text among others: dynamic quantisation mixes them, padding may."""
    together = step.infer(_batch(_TEXTS))
    alone = [step.infer(_batch([text]))[0] for text in _TEXTS]
    return all(_differ(one, other) <= _NOISE for one, other in zip(together, alone, strict=True))


def _differ(one: Mapping[str, Any], other: Mapping[str, Any]) -> float:
    return max(abs(float(score) - float(other["scores"][label])) for label, score in one["scores"].items())


def _batch(texts: Sequence[str]) -> Batch:
    return Batch([Record(id=str(at), source=Position("trial", 0, at), text=text) for at, text in enumerate(texts)])
