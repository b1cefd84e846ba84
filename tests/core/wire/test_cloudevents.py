"""CloudEvents in headers: the result is an event of its own, and what it does not know travels through."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from headrace.core.record import Headers
from headrace.core.wire.cloudevents import RESULT_TYPE, attributes, result_headers, result_id
from headrace.core.wire.trace import is_traceparent
from tests.support.made import headers, record, texts

BODY = {"pipeline": "reviews", "time": "2026-11-23T12:00:00.000Z"}
TRACE = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def out(given_headers: Headers = (), id: str = "a") -> Headers:
    return result_headers(record(id=id, headers=given_headers), BODY, output="scored")


def only(found: Headers, name: str) -> bytes | None:
    values = [value for other, value in found if other == name]
    assert len(values) == 1, (name, found)
    return values[0]


def test_attributes_are_the_headers_with_the_prefix() -> None:
    given_headers = (("ce_id", b"1"), ("ce_source", "/straße".encode()), ("other", b"x"), ("ce_null", None))
    assert attributes(given_headers) == {"id": "1", "source": "/straße"}


def test_a_result_is_a_cloudevent_of_its_own() -> None:
    mine = out(
        (("ce_id", b"theirs"), ("ce_type", b"review.written"), ("ce_subject", b"s"), ("content-type", b"text/plain"))
    )
    assert only(mine, "ce_specversion") == b"1.0"
    assert only(mine, "ce_type") == RESULT_TYPE.encode()
    assert only(mine, "ce_source") == b"/headrace/reviews"
    assert only(mine, "ce_time") == b"2026-11-23T12:00:00.000Z"
    assert only(mine, "content-type") == b"application/json"
    assert only(mine, "ce_id") == result_id("reviews", "a", "scored").encode()
    assert "ce_subject" not in dict(mine)


@given(headers)
def test_headers_that_mean_nothing_to_us_travel_through_in_order(given_headers: Headers) -> None:
    known = ("ce_", "content-type", "trace", "headrace.", "__streams")
    strangers = [pair for pair in given_headers if not pair[0].startswith(known)]
    assert [pair for pair in out(given_headers) if not pair[0].startswith(known)] == strangers


def test_extensions_of_the_event_travel_through() -> None:
    assert only(out((("ce_region", b"eu"), ("ce_expirytime", b"2030-01-01T00:00:00Z"))), "ce_region") == b"eu"


def test_why_a_redriven_dead_letter_failed_is_not_said_of_its_result() -> None:
    reasons = (("headrace.code", b"HR501"), ("__streams.errors.message", b"x"), ("mine", b"y"))
    assert [name for name, _ in out(reasons) if name.startswith(("headrace", "__streams"))] == []
    assert only(out(reasons), "mine") == b"y"


def test_a_trace_travels_through_with_its_state() -> None:
    passed = out((("tracestate", b"a=1"), ("traceparent", TRACE), ("tracestate", b"b=2")))
    assert only(passed, "traceparent") == TRACE
    assert [value for name, value in passed if name == "tracestate"] == [b"a=1", b"b=2"]


@pytest.mark.parametrize("broken", [b"", b"nonsense", None, TRACE.upper()])
def test_a_broken_trace_begins_anew_without_its_state(broken: Any) -> None:
    anew = out((("traceparent", broken), ("tracestate", b"a=1")))
    assert is_traceparent(only(anew, "traceparent") or b"")
    assert "tracestate" not in dict(anew)


@given(headers, texts)
def test_every_result_has_exactly_one_valid_trace(given_headers: Headers, id: str) -> None:
    assert is_traceparent(only(out(given_headers, id), "traceparent") or b"")


@given(texts, texts)
def test_a_result_has_the_same_id_each_time_and_another_for_each_output(id: str, output: str) -> None:
    assert result_id("p", id, output) == result_id("p", id, output)
    assert result_id("p", id, output) != result_id("p", id, output + "x")
    assert result_id("p", id, output) != result_id("p", id, output, part=1)
    assert result_id("p", id, output) != result_id("p", id, output, run="again")


def test_what_lies_on_the_border_of_two_facts_makes_no_equal_ids() -> None:
    assert result_id("p", "ab", "c") != result_id("p", "a", "bc")
