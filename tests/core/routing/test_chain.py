"""What the models of a chain read, in one process or in several."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.core.record import Record
from headrace.core.routing.chain import handed_on
from headrace.core.routing.decision import Candidate, Decision
from headrace.core.routing.errors import ChainTextError
from headrace.core.routing.slip import Slip, advance
from tests.support.made import record

OWN = "the record's own text"


def routed(*reads: str | None) -> Record:
    """Return a record at the beginning of a chain of m0, m1 …, with what each of them reads."""
    steps = tuple(Candidate(model=f"m{at}", reads=path) for at, path in enumerate(reads))
    decision = Decision(combine="chain", steps=steps, reason="as the file says")
    return record(OWN, slip=Slip(policy="chain", decision=decision))


def after(one: Record, *outputs: dict[str, Any]) -> list[Record]:
    """Return the record as it is after each model's output."""
    seen = []
    for output in outputs:
        assert one.slip is not None
        one = handed_on(one, output, advance(one.slip, output, lambda rule, output: False))
        seen.append(one)
    return seen


def slip(one: Record) -> Slip:
    assert one.slip is not None
    return one.slip


def test_a_chain_goes_through_all_models_and_the_last_one_s_output_stands() -> None:
    first, second, last = after(routed(None, None, None), {"score": 1.0}, {"score": 0.0}, {"label": "x"})
    assert [getattr(slip(one).next, "model", None) for one in (first, second)] == ["m1", "m2"]
    assert (slip(last).next, slip(last).path, slip(last).served_model) == (None, ("m0", "m1", "m2"), "m2")
    assert (last.output, slip(last).reason) == ({"label": "x"}, "as the file says")
    assert slip(last).outputs == {"m0": {"score": 1.0}, "m1": {"score": 0.0}}


def test_without_a_path_every_model_reads_the_record_s_text_and_sees_the_output_before() -> None:
    first, second = after(routed(None, None, None), {"text": "other"}, {"text": "another"})
    assert [first.text, second.text] == [OWN, OWN]
    assert first.output == {"text": "other"}


def test_with_a_path_it_reads_the_output_before_and_what_follows_the_chain_sees_the_record_s_text_again() -> None:
    first, second, last = after(
        routed(None, "output.summary", "output.deep.0.text"),
        {"summary": "short"},
        {"deep": [{"text": "half \ud83d an emoji"}]},
        {"label": "x"},
    )
    assert [first.text, second.text, last.text] == ["short", "half \ufffd an emoji", OWN]
    assert slip(last).text is None


def test_a_model_without_a_path_reads_the_record_s_text_also_after_one_that_has() -> None:
    first, second, last = after(routed(None, "output.a", None), {"a": "from m0"}, {"a": "from m1"}, {})
    assert [first.text, second.text, last.text] == ["from m0", OWN, OWN]


@pytest.mark.provokes("HR518")
@pytest.mark.parametrize(
    ("output", "what"),
    [
        ({}, "m0 said nothing at 'output.a.b'"),
        ({"a": {"b": None}}, "m0 said nothing at 'output.a.b'"),
        ({"a": "b"}, "m0 said nothing at 'output.a.b'"),
        ({"a": {"b": 7}}, "m0 said int, not a string, at 'output.a.b'"),
        ({"a": {"b": ["x"]}}, "m0 said list, not a string, at 'output.a.b'"),
    ],
)
def test_an_output_without_a_text_at_the_path_ends_the_record(output: dict[str, Any], what: str) -> None:
    with pytest.raises(ChainTextError, match=what):
        after(routed(None, "output.a.b"), output)


def test_an_empty_text_is_a_text() -> None:
    assert after(routed(None, "output.a"), {"a": ""})[0].text == ""


@given(
    reads=st.lists(st.none() | st.sampled_from(["output.a", "output.b"]), min_size=1, max_size=5),
    said=st.lists(st.fixed_dictionaries({"a": st.text(), "b": st.text()}), min_size=5, max_size=5),
    hop=st.integers(0, 5),
)
def test_it_is_the_same_when_the_record_travels_to_another_process_in_the_middle(
    reads: list[str | None], said: list[dict[str, Any]], hop: int
) -> None:
    outputs = said[: len(reads)]
    here = after(routed(*reads), *outputs)[-1]
    before = after(routed(*reads), *outputs[:hop])
    moved = before[-1] if before else routed(*reads)
    travelled = moved.replace(slip=msgspec.msgpack.decode(msgspec.msgpack.encode(moved.slip), type=Slip))
    there = after(travelled, *outputs[hop:])
    assert (there[-1] if there else travelled) == here
    assert here.text == OWN
