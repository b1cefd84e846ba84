"""Results put together from what they share: byte for byte what their bodies are as JSON."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.core.record import Position, Record
from headrace.core.wire.json import encode
from headrace.core.wire.result import ResultFacts, Spent, iso_time, milliseconds, result_body
from headrace.core.wire.written import ResultWriter
from tests.support.made import NOON_MS, json_values, record, texts
from tests.support.results import records

FACTS = ResultFacts("reviews", "abc")
TIME = iso_time(NOON_MS)
spans = st.floats(0, 1e6) | st.sampled_from((0.0, 0.0004, 0.0005, 1e-9, 1e14, 1e17, 1e22))
times = st.builds(Spent, spans.map(lambda ms: NOON_MS + ms), spans.map(lambda ms: NOON_MS + ms), spans, spans)
positions = st.builds(Position, st.sampled_from(("reviews", 'a"b', "ü", "\ud83d")), st.integers(0, 9), st.integers(0))
plain = {"status": st.just("ok"), "reason": st.none(), "failure": st.none()}


@st.composite
def ended(draw: st.DrawFn) -> Record:
    """Return a record at its end, most of them well."""
    found: Record = draw(records)
    changes = {
        "source": draw(positions),
        "inference_ms": draw(spans),
        "begun_ms": draw(st.just(0.0) | spans),
        "preprocess_ms": draw(spans),
        "plan": draw(st.sampled_from(("", "def"))),
        **({name: draw(made) for name, made in plain.items()} if draw(st.integers(0, 3)) else {}),
    }
    if draw(st.booleans()):
        changes["id"] = str(changes["source"])
    return found.replace(**changes)


@given(st.lists(ended(), max_size=4), times)
def test_a_batch_is_written_as_its_bodies_are(batch: list[Record], spent: Spent) -> None:
    writer = ResultWriter(FACTS, spent, TIME)
    for one in batch:
        body = result_body(one, FACTS, spent, TIME)
        assert writer.value(one) == encode(body)
        assert milliseconds(writer.total_ms(one)) == body["timings"]["total"]


@given(st.dictionaries(texts, json_values, max_size=3), texts)
def test_an_output_that_was_encoded_before_is_not_encoded_again(output: dict[str, Any], unit: str) -> None:
    spent = Spent(NOON_MS, NOON_MS, 0.0, 0.0)
    one = record(output={"label": "another"}, unit="u")
    try:
        said = str(output).encode() and encode(output)
    except UnicodeEncodeError:
        return
    body = {**result_body(one, FACTS, spent, TIME), "output": output}
    assert ResultWriter(FACTS, spent, TIME).value(one, said) == encode(body)


@pytest.mark.parametrize("units", [(1, True, 1.0), (True, 1), ("1", 1), ((1,), (True,), [1])])
def test_values_that_python_takes_for_equal_are_not_mixed_up(units: tuple[Any, ...]) -> None:
    spent = Spent(NOON_MS, NOON_MS, 0.0, 0.0)
    writer = ResultWriter(FACTS, spent, TIME)
    for unit in units:
        one = record(unit=unit)
        assert writer.value(one) == encode(result_body(one, FACTS, spent, TIME))


@pytest.mark.parametrize("key", [None, b"", b"k" * 300, b"\xff" * 300, b'"' * 300])
def test_keys_and_units_may_be_long(key: bytes | None) -> None:
    spent = Spent(NOON_MS, NOON_MS, 0.0, 0.0)
    one = record(key=key, unit=None if key is None else "ü" * len(key))
    assert ResultWriter(FACTS, spent, TIME).value(one) == encode(result_body(one, FACTS, spent, TIME))


def test_what_json_has_no_form_for_is_an_error_as_ever() -> None:
    spent = Spent(NOON_MS, NOON_MS, 0.0, 0.0)
    with pytest.raises(TypeError):
        ResultWriter(FACTS, spent, TIME).value(record(output={"x": object()}))


@given(st.floats(0, 1e12))
def test_milliseconds_have_three_decimals(ms: float) -> None:
    assert abs(milliseconds(ms) - ms) <= 0.0005 + ms * 1e-15
    assert len(repr(milliseconds(ms)).partition(".")[2]) <= 3
