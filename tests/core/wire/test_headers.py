"""The models of headers say what the code writes: no header more, none less, and each as its schema has it."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from pydantic import BaseModel

from headrace.core.experiments.experiment import Assigned
from headrace.core.record import Headers
from headrace.core.wire.cloudevents import result_headers
from headrace.core.wire.dead import Failure, dead_letter, stub
from headrace.core.wire.exposure import exposure
from headrace.core.wire.headers import DeadLetterHeaders, EventHeaders, ExposureHeaders, MessageHeaders, ResultHeaders
from tests.support.made import NOON_MS, headers, message, record

BODY = {"pipeline": "reviews", "time": "2026-11-23T21:44:29.411Z"}
TRACE = (("traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), ("tracestate", b"a=1"))
FAILURE = Failure(code="HR501", error="ValueError", kind="author", message="no", stage="quick", plugin="lexicon")


def written(found: Headers) -> dict[str, str]:
    return {name: (value or b"").decode() for name, value in found}


def names(model: type[BaseModel], *, required: bool = False) -> set[str]:
    fields = model.model_fields.items()
    return {field.alias or name for name, field in fields if field.is_required() or not required}


def test_a_result_has_the_headers_of_its_model() -> None:
    bare = written(result_headers(record(), BODY, output="scored"))
    traced = written(result_headers(record(headers=TRACE), BODY, output="scored"))
    assert bare.keys() == names(ResultHeaders, required=True)
    assert traced.keys() == names(ResultHeaders)
    ResultHeaders.model_validate(bare)
    ResultHeaders.model_validate(traced)


@given(headers)
def test_whatever_travels_through_a_result_s_headers_are_those_of_its_model(given_headers: Headers) -> None:
    found = result_headers(record(headers=given_headers), BODY, output="scored")
    own = [(name, value) for name, value in found if name in names(ResultHeaders)]
    assert len(own) == len(dict(own))
    ResultHeaders.model_validate(written(tuple(own)))


def test_an_exposure_has_the_headers_of_its_model() -> None:
    found = written(exposure(record(unit="ann"), Assigned("e", 1, "control"), "reviews", NOON_MS).headers)
    assert found.keys() == names(ExposureHeaders)
    ExposureHeaders.model_validate(found)


def test_a_dead_letter_has_the_headers_of_its_model() -> None:
    letter = dead_letter(message(), FAILURE, topic="reviews.dead", pipeline="reviews", plan="abc", now_ms=NOON_MS)
    found = written(letter.headers)
    assert found.keys() == names(DeadLetterHeaders, required=True)
    DeadLetterHeaders.model_validate(found)
    again = (("headrace.id", b"reviews:0:1"), ("headrace.redriven", b"1"), ("headrace.only_output", b"scored"))
    redriven = dead_letter(message(headers=again), FAILURE, topic="d", pipeline="p", plan="abc", now_ms=NOON_MS)
    remains = written(stub(redriven, "MessageSizeTooLargeError").headers)
    assert remains.keys() == names(DeadLetterHeaders)
    DeadLetterHeaders.model_validate(remains)


def test_no_header_is_required_of_a_publisher_and_an_event_needs_what_cloudevents_needs() -> None:
    assert names(MessageHeaders, required=True) == set()
    assert names(EventHeaders, required=True) == {"ce_specversion", "ce_id", "ce_source", "ce_type"}


def test_every_header_is_described() -> None:
    models: list[Any] = [DeadLetterHeaders, EventHeaders, ExposureHeaders, MessageHeaders, ResultHeaders]
    assert [name for model in models for name, field in model.model_fields.items() if not field.description] == []
