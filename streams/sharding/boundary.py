"""Which tensor between two parts is the first that the whole graph has otherwise."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrace.core.record import Batch
from headrace.core.registry.manifest import Manifest
from headrace.streams.sharding.errors import ShardExtraError
from headrace.streams.sharding.library import read_graph
from headrace.streams.sharding.probe import run_graph
from headrace.streams.sharding.version import Version
from headrace.streams.sharding.walk import walk_one

if TYPE_CHECKING:
    import numpy as np

    Row = np.ndarray[Any, Any]

__all__ = ["Boundary", "first_difference"]

# A tensor inside of a model differs when it does by more than this part of its own size.
_NOISE = 1e-4


@dataclass(frozen=True)
class Boundary:
    """A tensor between two parts that is not what the whole graph has there.

    Attributes:
        name: the tensor.
        part: the part that gives it, counted from 1.
        difference: the largest of any of its numbers.
    """

    name: str
    part: int
    difference: float


def first_difference(
    whole: Version, sharded: Manifest, right: Any, parts: Sequence[Any], batch: Batch
) -> Boundary | None:
    """Return the first tensor that a part gives otherwise than the whole graph; None when there is none.

    Args:
        whole: the version that is right.
        sharded: the manifest of the parts.
        right: the step that has opened the whole.
        parts: the steps that have opened the parts.
        batch: texts on which the answers differ.
    """
    shards = (sharded.shards or ())[:-1]
    names = [name for shard in shards for name in shard.makes]
    try:
        expected = _whole_rows(whole, right, names, batch)
    except ShardExtraError:  # the answers differ all the same; where, only the library can tell
        return None
    for at, shard in enumerate(shards):
        batch = walk_one(parts[at], batch)
        for name in shard.makes:
            pairs = [(expected[place][name], record.tensors[name]) for place, record in enumerate(batch)]
            off = max(_distance(one, other) for one, other in pairs)
            size = max(float(abs(one).max(initial=0)) for one, _ in pairs)
            if off > _NOISE * max(size, 1.0):
                return Boundary(name, at + 1, off)
    return None


def _whole_rows(whole: Version, right: Any, names: Sequence[str], batch: Batch) -> dict[int, dict[str, Row]]:
    """Return for each text of a batch its row of tensors inside of the whole graph."""
    model = read_graph(whole.registry.files(whole.manifest) / str(whole.manifest.graph))
    runs = list(right.feeds(batch.texts))
    with tempfile.TemporaryDirectory(prefix="headrace-verify-") as scratch:
        found = run_graph(model, names, [feeds for _, feeds in runs], Path(scratch))
    return dict(_rows([places for places, _ in runs], found))


def _rows(runs: Sequence[Sequence[int]], found: Sequence[dict[str, Row]]) -> Iterator[tuple[int, dict[str, Row]]]:
    for places, tensors in zip(runs, found, strict=True):
        for at, place in enumerate(places):
            yield place, {name: values[at] for name, values in tensors.items()}


def _distance(expected: Row, found: Row) -> float:
    import numpy as np

    own = expected[tuple(slice(size) for size in found.shape)]  # a row may travel without its padding
    if own.shape != found.shape:
        return float("inf")
    apart = np.abs(own.astype("float64") - found.astype("float64"))
    return float(np.nan_to_num(apart, nan=np.inf).max(initial=0.0))
