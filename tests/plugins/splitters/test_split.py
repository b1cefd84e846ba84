"""The splitter `split`: what the experiments of the context say, for a batch at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from headrace import Assigned, Batch, Experiment, Record, StepContext
from headrace.core.config.expression import compile_expression
from headrace.core.experiments.assign import SEGMENT_FIELDS, assign
from headrace.plugins.splitters.split import Split

MakeRecord = Callable[..., Record]

COLOUR = Experiment("colour", ("blue", "red"), (0.5, 0.5), "colour")
SIZE = Experiment("size", ("small", "large"), (0.5, 0.5), "size", coverage=0.5)


def split(*experiments: Experiment) -> Split:
    step = Split()
    step.open(StepContext("reviews", "split", "", experiments=experiments))
    return step


def users(record: MakeRecord, count: int = 64, **fields: Any) -> Batch:
    return Batch([record(unit=f"user-{at}", **fields) for at in range(count)])


def test_a_unit_meets_what_the_arithmetic_says(record: MakeRecord) -> None:
    batch = users(record)
    for one, met in zip(batch, split(COLOUR, SIZE).split(batch), strict=True):
        expected = {asked.id: assign(one.unit, asked, {}) for asked in (COLOUR, SIZE)}
        assert {found.id: found.variant for found in met} == {id: name for id, name in expected.items() if name}


def test_a_unit_keeps_its_variant_in_every_batch_and_after_a_restart(record: MakeRecord) -> None:
    batch = users(record)
    first = split(COLOUR, SIZE)
    whole = list(first.split(batch))
    first.close()
    again = split(COLOUR, SIZE)
    assert [met for one in batch for met in again.split(Batch([one]))] == whole
    assert list(again.split(Batch(batch.records[::-1]))) == whole[::-1]


def test_a_segment_is_asked_about_the_record_itself(record: MakeRecord) -> None:
    dutch = compile_expression("value.country == 'nl' && headers.plan == 'gold'", None, SEGMENT_FIELDS)
    step = split(Experiment("colour", ("blue", "red"), (0.0, 1.0), "colour", segment=dutch))
    gold = (("plan", b"gold"),)
    batch = Batch(
        [
            record(unit="ann", value={"country": "nl"}, headers=gold),
            record(unit="ann", value={"country": "de"}, headers=gold),
            record(unit=None, value={"country": "nl"}, headers=gold),
            record(unit="ann", value="text", headers=gold),
        ]
    )
    assert step.split(batch) == [(Assigned("colour", 1, "red"),), (), (), ()]


def test_without_experiments_nobody_meets_anything(record: MakeRecord) -> None:
    assert set(split().split(users(record))) == {()}
    assert list(split(COLOUR).split(Batch([]))) == []
