"""A router is asked for a whole batch, and answers with a decision a record."""

from __future__ import annotations

from headrace import Batch, Position, Record, StepContext
from headrace_example.by_length import ByLength, ByLengthOptions

ROUTER = ByLength(ByLengthOptions(short="notes", long="essays", words=3))


def batch(*texts: str) -> Batch:
    return Batch([Record(id=str(at), source=Position("letters", 0, at), text=text) for at, text in enumerate(texts)])


def test_each_text_goes_to_the_model_for_its_length() -> None:
    decisions = ROUTER.route(batch("one", "one two  three", "one two three four", ""))
    assert [decision.steps[0].model for decision in decisions] == ["notes", "notes", "essays", "notes"]


def test_a_result_will_say_why() -> None:
    short, long = ROUTER.route(batch("one", "one two three four"))
    assert (short.reason, long.reason) == ("at most 3 words", "more than 3 words")
    assert short.propensity == long.propensity == 1.0


def test_a_text_is_sent_the_same_way_whatever_is_beside_it() -> None:
    texts = ["one", "one two three four", "one two three"]
    assert ROUTER.route(batch(*texts)) == [ROUTER.route(batch(text))[0] for text in texts]


def test_check_is_told_every_model() -> None:
    assert ROUTER.models(StepContext("letters", "by-length", "")) == ["notes", "essays"]
