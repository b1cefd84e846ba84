"""Who meets which variant: by unit alone, whatever the batch; layers, coverage, segments and the holdout hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.core.config.expression import compile_expression
from headrace.core.experiments.assign import SEGMENT_FIELDS, Assigner, assign, segment_fields, variants
from headrace.core.experiments.experiment import HELD_OUT, HOLDOUT, Assigned, Experiment
from tests.support.made import record, texts

USERS = [f"user-{at}" for at in range(4_000)]
NOTHING: Mapping[str, Any] = {"value": {}, "headers": {}, "tags": {}, "key": None, "unit": None}


def experiment(id: str = "colour", **fields: Any) -> Experiment:
    given_ = {"variants": ("control", "treatment"), "weights": (0.5, 0.5), "seed": id, **fields}
    return Experiment(id, **given_)


def segment(source: str) -> Any:
    return compile_expression(source, None, SEGMENT_FIELDS)


def holdout(share: float) -> Experiment:
    return Experiment(HOLDOUT, (HELD_OUT,), (1.0,), "seed of its own", coverage=share, keeps_out=True)


def met(*experiments: Experiment, fields: Mapping[str, Any] = NOTHING) -> list[tuple[Assigned, ...]]:
    return Assigner(experiments).assign(USERS, lambda _: fields)


def share(count: int) -> float:
    return count / len(USERS)


def test_units_are_split_by_weight() -> None:
    chosen = variants(USERS, experiment(weights=(0.2, 0.8)))
    assert share(chosen.count("control")) == pytest.approx(0.2, abs=0.03)
    assert share(chosen.count("treatment")) == pytest.approx(0.8, abs=0.03)


def test_a_unit_keeps_its_variant_wherever_the_batch_is_cut() -> None:
    asked = experiment()
    whole = variants(USERS, asked)
    assert [assign(unit, asked, NOTHING) for unit in USERS] == whole
    for size in (1, 7, 64):
        cuts = (USERS[at : at + size] for at in range(0, len(USERS), size))
        assert [variant for cut in cuts for variant in variants(cut, asked)] == whole


@given(units=st.lists(st.none() | texts, max_size=40))
def test_all_at_once_or_one_by_one_is_the_same(units: list[str | None]) -> None:
    asked = [holdout(0.1), experiment("a", layer="x", layer_range=(0.2, 0.9)), experiment("b", coverage=0.5)]
    for unit, found in zip(units, Assigner(asked).assign(units, lambda _: NOTHING), strict=True):
        alone = {one.id: assign(unit, one, NOTHING) for one in asked}
        if alone[HOLDOUT]:
            assert found == (Assigned(HOLDOUT, 1, HELD_OUT),)
        else:
            assert {one.id: one.variant for one in found} == {id: name for id, name in alone.items() if name}


@pytest.mark.parametrize("unit", [None, ""])
def test_without_a_unit_a_record_meets_nothing(unit: str | None) -> None:
    assert assign(unit, experiment(), NOTHING) is None
    assert Assigner([experiment(), holdout(1.0)]).assign([unit, "ann"], lambda _: NOTHING)[0] == ()


def test_coverage_adds_units_and_moves_none() -> None:
    few, many = variants(USERS, experiment(coverage=0.1)), variants(USERS, experiment(coverage=0.6))
    assert share(len(USERS) - few.count(None)) == pytest.approx(0.1, abs=0.02)
    assert share(len(USERS) - many.count(None)) == pytest.approx(0.6, abs=0.03)
    assert all(before in (None, after) for before, after in zip(few, many, strict=True))


def test_another_seed_splits_the_same_units_anew() -> None:
    here, there = variants(USERS, experiment()), variants(USERS, experiment(seed="other"))
    same = sum(before == after for before, after in zip(here, there, strict=True))
    assert share(same) == pytest.approx(0.5, abs=0.03)


def test_experiments_of_one_layer_never_share_a_unit() -> None:
    first = experiment("first", layer="routing", layer_range=(0.0, 0.3))
    second = experiment("second", layer="routing", layer_range=(0.3, 1.0))
    counts = [len(found) for found in met(first, second)]
    assert counts == [1] * len(USERS)
    assert share(sum(found[0].id == "first" for found in met(first, second))) == pytest.approx(0.3, abs=0.03)


def test_experiments_without_a_layer_cross_each_other() -> None:
    pairs = [(one.variant, other.variant) for one, other in met(experiment("a"), experiment("b"))]
    for pair in (("control", "control"), ("control", "treatment"), ("treatment", "control")):
        assert share(pairs.count(pair)) == pytest.approx(0.25, abs=0.03)


def test_a_unit_that_is_held_out_meets_nothing_else() -> None:
    found = met(experiment("a"), holdout(0.05), experiment("b"))
    held = [one for one in found if one[0].id == HOLDOUT]
    assert set(held) == {(Assigned(HOLDOUT, 1, HELD_OUT),)}
    assert share(len(held)) == pytest.approx(0.05, abs=0.015)
    assert {len(one) for one in found if one not in held} == {2}


def test_a_larger_holdout_keeps_those_that_it_had() -> None:
    few, many = met(holdout(0.05)), met(holdout(0.2))
    assert all(after for before, after in zip(few, many, strict=True) if before)


def test_a_phase_is_said_and_moves_nobody() -> None:
    assert {one.phase for found in met(experiment(phase=3)) for one in found} == {3}
    assert variants(USERS, experiment(phase=3)) == variants(USERS, experiment())


@pytest.mark.parametrize(
    ("source", "is_meant"),
    [
        ("value.country in ['nl', 'de']", True),
        ("value.age >= 30.0", False),
        ("headers.plan == 'gold' && tags.lang == 'nl'", True),
        ("key == 'ann' && unit == 'u1'", True),
        ("value.missing == 1", False),
        ("value.country == 7", False),
        ("value.country", False),
        ("has(value.missing) && value.missing == 1", False),
    ],
)
def test_a_segment_chooses_by_the_record(source: str, is_meant: bool) -> None:
    fields = segment_fields(
        record(
            value={"country": "nl", "age": 20},
            headers=(("plan", b"silver"), ("plan", b"gold")),
            tags={"lang": "nl"},
            key=b"ann",
            unit="u1",
        )
    )
    asked = experiment(segment=segment(source))
    assert (assign("u1", asked, fields) is not None) is is_meant
    assert (Assigner([asked]).assign(["u1"], lambda _: fields) != [()]) is is_meant


def test_a_text_that_was_cut_within_an_emoji_leaves_its_record_in_the_segment() -> None:
    fields = segment_fields(record(value={"country": "nl", "body": "good \ud83d"}, unit="u1"))
    assert assign("u1", experiment(segment=segment("value.country == 'nl'")), fields)


def test_a_key_or_header_that_is_no_text_is_still_something_to_ask_for() -> None:
    fields = segment_fields(record(key=b"\xff", headers=(("raw", b"\xff"), ("none", None))))
    assert (fields["key"], fields["headers"]) == (None, {"raw": "\ufffd", "none": ""})


def test_fields_are_made_only_for_those_that_a_segment_must_judge() -> None:
    asked: list[int] = []

    def fields(index: int) -> Mapping[str, Any]:
        asked.append(index)
        return NOTHING

    Assigner([experiment()]).assign(USERS[:64], fields)
    assert asked == []
    narrow = experiment(coverage=0.1, segment=segment("true"))
    found = Assigner([narrow]).assign([None, *USERS[:63]], fields)
    assert asked == [index for index, one in enumerate(found) if one]
