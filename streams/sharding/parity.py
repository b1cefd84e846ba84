"""Whether the parts of a model answer as the whole one; and if not, which tensor between them differs first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from headrace.core.catalog import Catalog
from headrace.core.errors import HeadraceError
from headrace.core.record import Batch, Output, Position, Record
from headrace.core.registry.manifest import Manifest
from headrace.streams.sharding.boundary import Boundary, first_difference
from headrace.streams.sharding.errors import PartsDifferError
from headrace.streams.sharding.version import Version, opened
from headrace.streams.sharding.walk import halved, walk

__all__ = ["BATCHES", "TOLERANCE", "Half", "Parity", "compare", "refuse_difference"]

TOLERANCE = 1e-5
"""Scores are probabilities; what is nearer than this is the rounding of float32 in another order."""
BATCHES = (1, 32)
"""Each text is judged alone, and among others."""


@dataclass(frozen=True)
class Half:
    """What half precision between the parts does to the answers; `problem` when they cannot even be had."""

    largest: float
    labels_changed: int
    problem: str | None = None


@dataclass(frozen=True)
class Parity:
    """What a comparison found.

    Attributes:
        texts: how many were compared, with each batch size.
        largest: the largest difference of any score.
        labels_changed: answers with another label, or with another count of tokens.
        first: the first boundary tensor that differs; None when the answers agree, or none does.
        half: what half precision does, when that was asked for.
    """

    texts: int
    largest: float
    labels_changed: int
    first: Boundary | None = None
    half: Half | None = None

    @property
    def is_equal(self) -> bool:
        """Whether the parts answer as the whole."""
        return self.largest <= TOLERANCE and not self.labels_changed


def compare(catalog: Catalog, whole: Version, sharded: Version, texts: Sequence[str], *, half: bool = False) -> Parity:
    """Compare a sharded version with the whole one, each text alone and among others.

    Args:
        catalog: brings the step that runs them.
        whole: the version that is right.
        sharded: the version in question; each part is opened as a worker opens it.
        texts: what to judge; at least one.
        half: whether to say what half precision between the parts does.
    """
    with ExitStack() as stack:
        right = stack.enter_context(opened(catalog, whole))
        numbers = range(len(sharded.manifest.shards or ()))
        parts = [stack.enter_context(opened(catalog, sharded, shard=at)) for at in numbers]
        largest, changed, first = 0.0, 0, None
        for batch in (batch for size in BATCHES for batch in _batches(texts, size)):
            off, other = _differences(right.infer(batch), walk(parts, batch))
            largest, changed = max(largest, off), changed + other
            if first is None and (off > TOLERANCE or other):
                first = first_difference(whole, sharded.manifest, right, parts, batch)
        return Parity(len(texts), largest, changed, first, _half(right, parts, texts) if half else None)


def refuse_difference(parity: Parity, sharded: Manifest) -> None:
    """Refuse parts that do not answer as the whole.

    Raises:
        PartsDifferError: HR335.
    """
    if parity.is_equal:
        return
    fault = f"the parts of {sharded.reference} differ from the whole by up to {parity.largest:.1e}"
    if parity.labels_changed:
        fault += f", and {parity.labels_changed} answers have another label or length"
    if parity.first is not None:
        first = parity.first
        fault += f"; the first tensor that differs is {first.name!r} of part {first.part}, by {first.difference:.1e}"
    raise PartsDifferError(fault, mend="cut the model again; if it stays so, report it")


def _batches(texts: Sequence[str], size: int) -> Iterator[Batch]:
    records = [Record(id=str(at), source=Position("texts", 0, at), text=text) for at, text in enumerate(texts)]
    for start in range(0, len(records), size):
        yield Batch(records[start : start + size])


def _differences(right: Sequence[Output], found: Sequence[Output]) -> tuple[float, int]:
    """Return the largest difference of a score, and how many answers say something else."""
    largest, changed = 0.0, 0
    for one, other in zip(right, found, strict=True):
        largest = max(largest, *(abs(score - other["scores"][label]) for label, score in one["scores"].items()))
        changed += any(one.get(key) != other.get(key) for key in ("label", "tokens", "truncated"))
    return largest, changed


def _half(right: Any, parts: Sequence[Any], texts: Sequence[str]) -> Half:
    largest, changed = 0.0, 0
    for batch in _batches(texts, max(BATCHES)):
        try:
            off, other = _differences(right.infer(batch), walk(parts, batch, halved))
        except HeadraceError as error:  # numbers beyond 65,504 are infinite in half precision
            return Half(largest, changed, str(error))
        largest, changed = max(largest, off), changed + other
    return Half(largest, changed)
