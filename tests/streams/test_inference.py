"""One stage of a model in several versions: each record meets the version it was routed to, or says why not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.core.errors import HeadraceError
from headrace.core.plan.stages import StagePlan
from headrace.core.record import Batch, Output
from headrace.core.routing.decision import Candidate, Decision
from headrace.core.routing.slip import Slip
from headrace.streams.bisect import Retries
from headrace.streams.inference import ModelStage
from headrace.streams.slot import Slot
from tests.support.made import record


class Version:
    """A model that says who it is."""

    def __init__(self, name: str, answer: Any = None) -> None:
        self.name, self.answer = name, answer
        self.batches: list[list[str]] = []

    def infer(self, batch: Batch) -> Sequence[Output]:
        self.batches.append(batch.texts)
        return [{"label": self.name, "tensors": sorted(record.tensors)} for record in batch]

    def part(self, batch: Batch) -> Sequence[Any]:
        self.batches.append(batch.texts)
        return [self.answer for _ in batch]


def slot(text: str, version: str | None, *, parts: int = 1, part: int = 0) -> Slot:
    candidate = Candidate(model="quick", version=version, stage="quick", parts=parts)
    slip = Slip(policy="single", decision=Decision(combine="single", steps=(candidate,)), part=part)
    return Slot(None, record(text, slip=slip, tensors={"hidden": np.zeros(2)} if part else {}))


def stage(
    stopped: frozenset[str] = frozenset(),
    shard: int | None = None,
    shards: int = 1,
    opens: Callable[[str], tuple[Any, ExitStack]] | None = None,
) -> ModelStage:
    name = "quick" if shard is None else f"quick.{shard + 1}"
    plan = StagePlan(name, "model", ("lexicon",), "quick", "quick", shard, shards)
    return ModelStage(plan, "lexicon", Retries(limit=0), lambda: stopped, opens)


def labels(slots: Sequence[Slot]) -> list[str]:
    return [
        slot.failure.code if slot.failure else str((slot.record.output or {})["label"]) if slot.record else ""
        for slot in slots
    ]


def test_two_versions_side_by_side_are_never_mixed() -> None:
    old, new, models = Version("old"), Version("new"), stage()
    models.load("quick@1", old)
    models.load("quick@2", new)
    slots = [slot(str(at), f"quick@{1 + at % 2}") for at in range(6)]
    assert models.run(slots) == 6
    assert labels(slots) == ["old", "new"] * 3
    assert (old.batches, new.batches) == ([["0", "2", "4"]], [["1", "3", "5"]])
    assert [each.record.slip.version for each in slots if each.record and each.record.slip] == [
        "quick@1",
        "quick@2",
    ] * 3


@pytest.mark.provokes("HR521")
def test_a_version_that_is_not_loaded_is_said_and_no_other_answers_for_it() -> None:
    models = stage()
    models.load("quick@1", Version("old"))
    slots = [slot("a", "quick@1"), slot("b", "quick@9")]
    assert models.run(slots) == 1
    assert labels(slots) == ["old", "HR521"]
    assert slots[1].failure is not None
    assert "quick@9 of model 'quick', which is not loaded here" in slots[1].failure.message
    assert (slots[1].failure.stage, slots[1].failure.kind) == ("quick", "publisher")


def test_what_was_let_go_answers_no_more() -> None:
    models = stage()
    models.load("quick@1", Version("old"))
    models.load("quick@2", Version("new"))
    models.unload("quick@1")
    assert models.versions == ["quick@2"]
    slots = [slot("a", "quick@1"), slot("b", "quick@2")]
    models.run(slots)
    assert labels(slots) == ["HR521", "new"]


def test_a_version_that_a_record_needs_is_loaded_for_it_once() -> None:
    opened: list[str] = []

    def opens(version: str) -> tuple[Version, ExitStack]:
        opened.append(version)
        return Version(version), ExitStack()

    models = stage(opens=opens)
    models.load("quick@2", Version("new"))
    slots = [slot("a", "quick@1"), slot("b", "quick@2"), slot("c", "quick@1")]
    assert models.run(slots) == 3
    assert labels(slots) == ["quick@1", "new", "quick@1"]
    assert (opened, models.versions) == (["quick@1"], ["quick@2", "quick@1"])
    assert not models.ensure("quick@1")
    models.unload("quick@1")
    again = [slot("d", "quick@1")]
    models.run(again)
    assert (labels(again), opened) == (["quick@1"], ["quick@1"] * 2)


@pytest.mark.parametrize("error", [HeadraceError("it has 3 parts"), OSError("no room")], ids=str)
def test_a_version_that_cannot_be_loaded_is_said_with_the_reason_and_not_tried_at_each_batch(error: Exception) -> None:
    tried: list[str] = []

    def opens(version: str) -> tuple[Version, ExitStack]:
        tried.append(version)
        raise error

    models = stage(opens=opens)
    models.load("quick@2", Version("new"))
    for _ in range(2):
        slots = [slot("a", "quick@1"), slot("b", "quick@2")]
        models.run(slots)
        assert labels(slots) == ["HR521", "new"]
        assert slots[0].failure is not None
        assert str(error) in slots[0].failure.message
    assert tried == ["quick@1"]


def test_a_version_is_idle_once_it_has_served_nothing_for_a_while() -> None:
    models = stage()
    models.load("quick@1", Version("old"))
    assert models.idle(60) == []
    assert models.idle(-1) == ["quick@1"]


def test_a_record_without_a_version_takes_the_only_one_that_there_is() -> None:
    models = stage()
    models.load("quick@1", Version("old"))
    alone = [slot("a", None)]
    models.run(alone)
    assert labels(alone) == ["old"]
    models.load("quick@2", Version("new"))
    either = [slot("a", None)]
    models.run(either)
    assert labels(either) == ["HR521"], "nothing is guessed"


@pytest.mark.provokes("HR522")
def test_a_stopped_model_answers_no_record() -> None:
    quick = Version("old")
    models = stage(frozenset({"quick"}))
    models.load("quick@1", quick)
    slots = [slot("a", "quick@1"), slot("b", "quick@1")]
    assert models.run(slots) == 0
    assert labels(slots) == ["HR522", "HR522"]
    assert quick.batches == []


@pytest.mark.parametrize(
    ("at", "path", "then", "reason"),
    [
        (0, (), "expert", "quick is stopped"),
        (2, ("expert",), "egress", "expert was not sure"),
        (2, (), None, ""),
    ],
    ids=["on to the next one", "the one before it serves", "nobody is left"],
)
def test_a_record_under_way_to_a_stopped_model_of_a_cascade_passes_it_over(
    at: int, path: tuple[str, ...], then: str | None, reason: str
) -> None:
    models = stage(frozenset({"quick"}))
    models.load("quick@1", Version("old"))
    steps = tuple(Candidate(model=model, stage=model) for model in ("quick", "expert", "quick"))
    decided = Decision(combine="cascade", steps=steps)
    slip = Slip(policy="cascade", decision=decided, at=at, path=path, reason=reason if path else "")
    one = Slot(None, record("t", slip=slip, output={"label": "e"} if path else None))
    assert models.run([one]) == 0
    assert one.next_stage == then
    if then is None:
        assert labels([one]) == ["HR522"]
        return
    assert one.record is not None
    assert one.record.slip is not None
    assert (one.record.slip.path, one.record.slip.reason) == (path, reason)


def test_records_of_other_stages_are_left_alone() -> None:
    models = stage()
    models.load("quick@1", Version("old"))
    other = slot("a", "quick@1", parts=2)
    before = other.record
    assert models.run([other]) == 0
    assert other.record is before


def test_a_part_hands_its_tensors_to_the_next_and_the_last_one_answers() -> None:
    row = {"mask": np.ones(3)}
    first, last = stage(shard=0, shards=2), stage(shard=1, shards=2)
    first.load("quick@1", Version("one", row))
    last.load("quick@1", Version("two"))
    one = slot("a", "quick@1", parts=2)
    first.run([one])
    assert one.record is not None
    assert (one.next_stage, dict(one.record.tensors), one.record.output) == ("quick.2", row, None)
    last.run([one])
    assert one.record is not None
    assert (one.next_stage, one.record.output) == ("egress", {"label": "two", "tensors": ["mask"]})
    assert one.record.tensors == {}, "they are of no more use"
    assert one.record.inference_ms > 0


@pytest.mark.parametrize("answer", [None, [1], {"mask": [1, 2]}], ids=str)
def test_a_part_that_returns_no_tensors_breaks_its_promise(answer: Any) -> None:
    first = stage(shard=0, shards=2)
    first.load("quick@1", Version("one", answer))
    one = slot("a", "quick@1", parts=2)
    first.run([one])
    assert labels([one]) == ["HR603"]


def test_tensors_of_the_input_stay_for_the_next_model() -> None:
    models = stage()
    models.load("quick@1", Version("one"))
    given = slot("a", "quick@1")
    assert given.record is not None
    given.record = given.record.replace(tensors={"x": np.ones(2)})
    models.run([given])
    assert given.record.output == {"label": "one", "tensors": ["x"]}
    assert list(given.record.tensors) == ["x"]


class Cold(Version):
    """Notes when it gets warm, or fails to."""

    def __init__(self, name: str, error: Exception | None = None) -> None:
        super().__init__(name)
        self.warmed, self._error = 0, error

    def warm_up(self) -> None:
        self.warmed += 1
        if self._error is not None:
            raise self._error


def test_each_version_is_warmed_up_once_and_one_that_a_record_needs_before_it_answers() -> None:
    first, second = Cold("first"), Cold("second")
    models = stage(opens=lambda version: (second, ExitStack()))
    models.load("quick@1", first)
    assert first.warmed == 0
    models.warm_up()
    models.warm_up()
    models.run([slot("a", "quick@2")])
    assert (first.warmed, second.warmed) == (1, 1)


def test_a_model_that_cannot_be_warmed_up_answers_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    models = stage()
    models.load("quick@1", Cold("cold", ValueError("no such shape")))
    models.warm_up()
    slots = [slot("a", "quick@1")]
    models.run(slots)
    assert labels(slots) == ["cold"]
    assert "quick@1 could not be warmed up and starts cold: ValueError('no such shape')" in caplog.text


# -- what records of a batch share


class Scored:
    """A model that says the text, which is its score."""

    def infer(self, batch: Batch) -> Sequence[Output]:
        """Fail on a text that is no number."""
        return [{"label": record.text, "score": float(record.text)} for record in batch]


def routed_slip(combine: str, accept_if: float | None, reason: str = "") -> Slip:
    steps = (Candidate(model="quick", stage="quick", accept_if=accept_if), Candidate(model="other"))
    decision = Decision(combine=combine, steps=steps[: 1 + (combine == "cascade")], reason="told")  # type: ignore[arg-type]
    return Slip(policy=combine, decision=decision, reason=reason)


SHARED = tuple(
    routed_slip(combine, accept_if, reason)
    for combine in ("single", "cascade")
    for accept_if in (None, 0.5)
    for reason in ("", "before")
)


@given(st.lists(st.tuples(st.integers(0, len(SHARED) - 1), st.sampled_from(("0.25", "0.75", "no", "nan"))), max_size=9))
def test_a_record_becomes_the_same_among_others_as_alone(given_: list[tuple[int, str]]) -> None:
    def run(*pairs: tuple[int, str]) -> list[Slot]:
        made = stage()
        made.load("", Scored())
        slots = [Slot(None, record(text, slip=SHARED[at])) for at, text in pairs]
        made.run(slots)
        return slots

    together, alone = run(*given_), [run(pair)[0] for pair in given_]
    for one, other in zip(together, alone, strict=True):
        assert (one.failure is None) == (other.failure is None)
        if one.record is not None and other.record is not None:
            assert one.record.inference_ms > 0
            # NaN is not equal to itself, so both are compared as text.
            assert str(one.record.replace(inference_ms=0.0)) == str(other.record.replace(inference_ms=0.0))
            assert one.said is None or one.said[0] is one.record.output


def test_the_record_that_the_model_was_given_is_left_as_it_was() -> None:
    made, given_ = stage(), Slot(None, record("1", slip=SHARED[0]))
    made.load("", Scored())
    before = given_.record
    made.run([given_])
    assert before is not None
    assert given_.record is not None
    assert (before.inference_ms, before.output) == (0.0, None)
    assert given_.record.inference_ms > 0
    assert given_.said == ({"label": "1", "score": 1.0}, b'{"label":"1","score":1.0}')


def test_an_output_whose_form_depends_on_what_stands_beside_it_is_not_kept() -> None:
    class Half:
        def infer(self, batch: Batch) -> Sequence[Output]:
            return [{"label": record.text} for record in batch]

    made, slots = stage(), [Slot(None, record(text, slip=SHARED[0])) for text in ("a", "\ud83d")]
    made.load("", Half())
    made.run(slots)
    assert [one.said is not None for one in slots] == [True, False]
    assert not any(one.failures for one in slots)
