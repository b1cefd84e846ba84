"""How fast units are split: the splitter on batches of records, beside GrowthBook's own Python SDK in the same run.

Every unit comes once, so nothing that either side might remember of a unit helps it.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from random import Random
from statistics import median

from benchmarks.bench import MEASURED_CORE
from benchmarks.figures import Bar, Table, spread
from headrace.core.experiments.assign import variants
from headrace.core.experiments.experiment import Experiment
from headrace.core.record import Batch, Position, Record
from headrace.core.step import StepContext
from headrace.plugins.splitters.split import Split

ASKED = 200_000
"""Assignments a second on one core."""
_BATCH = 64
_BATCHES = 300
_COLOUR = Experiment("colour", ("control", "treatment"), (0.5, 0.5), "colour", coverage=0.8)
_LAYERED = Experiment("size", ("s", "m", "l"), (0.2, 0.3, 0.5), "size", layer="look", layer_range=(0.0, 0.5))


def measure(runs: int) -> Table:
    """Return the table of assignments a second and core; needs no broker."""
    ways = _ways()
    seen: dict[str, list[float]] = {name: [] for name in ways}
    with _one_core():
        for run in range(runs):
            for name, (way, each) in ways.items():
                seen[name].append(_rate(way, _batches(run), each))
    rates = {name: median(values) for name, values in seen.items()}
    one, two, bulk, hashed, evaluated = rates
    return Table(
        title="Split",
        columns=("on one core, units of 36 characters, batches of 64", "assignments/s"),
        rows=[(name, spread(values, 0)) for name, values in seen.items()],
        bars=[Bar("assignments/s of `split`, one experiment", rates[one], ASKED)],
        notes=[
            f"`split` against the SDK's hash and choice: {rates[one] / rates[hashed]:.1f} times as many; against its "
            f"whole evaluation: {rates[one] / rates[evaluated]:.1f} times",
            f"with a second experiment, in a layer: {rates[two] / rates[one]:.2f} times; without records around the "
            f"units: {rates[bulk] / rates[one]:.2f} times",
        ],
    )


Way = Callable[[Batch, Sequence[str]], object]
"""Splits records, or their units alone."""


def _ways() -> dict[str, tuple[Way, int]]:
    """Return each way to split a batch, and how many assignments it makes of each record."""
    return {
        "`split`, one experiment": (_splitter(_COLOUR), 1),
        "`split`, two experiments, one in a layer": (_splitter(_COLOUR, _LAYERED), 2),
        "`variants`, units alone": (lambda batch, units: variants(units, _COLOUR), 1),
        "growthbook SDK, hash and choice": (_sdk_hash, 1),
        "growthbook SDK, evaluation": (_sdk_evaluation, 1),
    }


def _splitter(*experiments: Experiment) -> Way:
    step = Split()
    step.open(StepContext("bench", "split", "", experiments=experiments))
    return lambda batch, units: step.split(batch)


def _sdk_hash(batch: Batch, units: Sequence[str]) -> object:
    from growthbook.core import chooseVariation, gbhash, getBucketRanges

    ranges = getBucketRanges(2, _COLOUR.coverage, list(_COLOUR.weights))
    return [chooseVariation(gbhash(_COLOUR.seed, unit, 2) or 0.0, ranges) for unit in units]


def _sdk_evaluation(batch: Batch, units: Sequence[str]) -> object:
    from growthbook import GrowthBook
    from growthbook.common_types import Experiment as Theirs

    asked = Theirs(
        key="colour",
        variations=["control", "treatment"],
        weights=list(_COLOUR.weights),
        coverage=_COLOUR.coverage,
        hashVersion=2,
    )
    return [GrowthBook(attributes={"id": unit}).run(asked).value for unit in units]


def _batches(run: int) -> list[tuple[Batch, list[str]]]:
    chance, source = Random(run), Position("bench", 0, 0)
    batches = []
    for _ in range(_BATCHES):
        units = [str(uuid.UUID(int=chance.getrandbits(128))) for _ in range(_BATCH)]
        batches.append((Batch([Record(id="1", source=source, unit=unit) for unit in units]), units))
    return batches


def _rate(way: Way, batches: Sequence[tuple[Batch, list[str]]], each: int) -> float:
    """Return assignments a CPU second."""
    way(*batches[0])  # tables are made once
    begun = time.process_time()
    for batch in batches:
        way(*batch)
    return len(batches) * _BATCH * each / (time.process_time() - begun)


@contextmanager
def _one_core() -> Iterator[None]:
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {MEASURED_CORE} & allowed or allowed)
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)
