"""Which records run a variant's steps, and which the base's."""

from __future__ import annotations

from collections.abc import Sequence

from headrace.core.experiments.experiment import Assigned
from headrace.core.record import Record
from headrace.streams.branch import Branches, met
from headrace.streams.leg import Leg
from headrace.streams.slot import Slot
from tests.support.made import record

A, B = ("trial", "a"), ("other", "b")


class Told(Leg):
    """Notes its name at every record that it is given."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.batches: list[list[str]] = []

    def run(self, slots: Sequence[Slot]) -> int:
        self.batches.append([slot.record.text for slot in slots if slot.record is not None])
        for slot in slots:
            if slot.record is not None:
                slot.record = slot.record.with_text(slot.record.text + self.name)
        return len(slots)


def slots(*texts: str, **met_by: tuple[str, str]) -> list[Slot]:
    return [Slot(None, _record(text, met_by.get(text))) for text in texts]


def _record(text: str, variant: tuple[str, str] | None) -> Record:
    return record(text, experiments=(Assigned(variant[0], 1, variant[1]),) if variant else ())


def texts(given: Sequence[Slot]) -> list[str | None]:
    return [slot.record.text if slot.record else None for slot in given]


def test_each_record_runs_the_steps_of_the_variant_it_met_and_all_others_the_base_s() -> None:
    base, one, two = Told("0"), Told("1"), Told("2")
    given = slots("x", "y", "z", "x", y=A, z=B)
    Branches([base], {A: [one], B: [two]}).run(given)
    assert texts(given) == ["x0", "y1", "z2", "x0"]
    assert (base.batches, one.batches, two.batches) == ([["x", "x"]], [["y"]], [["z"]]), "a batch of each, in order"


def test_a_variant_may_have_no_steps_at_all() -> None:
    given = slots("x", "y", y=A)
    Branches([Told("0")], {A: []}).run(given)
    assert texts(given) == ["x0", "y"]


def test_without_variants_the_batch_is_not_parted() -> None:
    base = Told("0")
    given = slots("x", "y", y=A)
    Branches([base], {}).run(given)
    assert base.batches == [["x", "y"]]


def test_a_record_that_has_failed_goes_nowhere() -> None:
    base = Told("0")
    given = slots("x", "y")
    given[0].record = None
    Branches([base], {A: []}).run(given)
    assert texts(given) == [None, "y0"]


def test_another_choice_can_be_made_than_what_was_met() -> None:
    given = slots("x", "y", y=A)
    Branches([Told("0")], {A: [Told("1")]}, lambda one: A if one.text == "x" else None).run(given)
    assert texts(given) == ["x1", "y0"]


def test_the_first_variant_that_is_known_counts() -> None:
    both = record(experiments=(Assigned("trial", 2, "a"), Assigned("other", 1, "b")))
    assert met(both, {B: None}) == B
    assert met(both, {A: None, B: None}) == A
    assert met(both, {("trial", "b"): None}) is None
    assert met(record(), {A: None}) is None
