"""The message that tells of an exposure: exactly the fields of its model, and one id for one meeting."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from headrace.core.experiments.experiment import Assigned
from headrace.core.wire.exposure import ExposureBody, exposure, exposure_id
from tests.support.made import NOON_MS, record, texts

MET = Assigned("colour", 2, "blue")
assigned = st.builds(Assigned, id=texts, phase=st.integers(1, 9), variant=texts)


@given(unit=texts, met=assigned, id=texts)
def test_its_body_has_the_fields_of_its_model_in_their_order_and_no_others(unit: str, met: Assigned, id: str) -> None:
    message = exposure(record(unit=unit, id=id, plan="abc"), met, "reviews", NOON_MS)
    assert message.value is not None
    body = json.loads(message.value)
    ExposureBody.model_validate(body)
    assert list(body) == list(ExposureBody.model_fields)
    assert (body["unit"], body["experiment"], body["phase"], body["variant"]) == (unit, met.id, met.phase, met.variant)
    assert (body["id"], body["plan"]) == (id, "abc")


def test_it_goes_to_the_topic_of_exposures_keyed_by_unit() -> None:
    message = exposure(record(unit="änn"), MET, "reviews", NOON_MS)
    assert (message.topic, message.key, message.partition) == ("reviews.exposures", "änn".encode(), None)


def test_it_is_a_cloudevent() -> None:
    headers = dict(exposure(record(unit="ann"), MET, "reviews", NOON_MS + 7).headers)
    assert headers == {
        "ce_specversion": b"1.0",
        "ce_type": b"headrace.exposure.v1",
        "ce_source": b"/headrace/reviews",
        "content-type": b"application/json",
        "ce_id": exposure_id("reviews", "ann", MET).encode(),
        "ce_time": b"2026-11-23T12:00:00.007Z",
    }


def test_another_record_at_another_time_has_the_same_id() -> None:
    first = exposure(record(unit="ann", id="1", plan="abc"), MET, "reviews", NOON_MS)
    again = exposure(record(unit="ann", id="2", plan="def"), MET, "reviews", NOON_MS + 60_000)
    assert dict(first.headers)["ce_id"] == dict(again.headers)["ce_id"]


def test_another_meeting_has_another_id() -> None:
    others = {
        exposure_id("reviews", "ann", MET),
        exposure_id("other", "ann", MET),
        exposure_id("reviews", "bob", MET),
        exposure_id("reviews", "ann", Assigned("size", 2, "blue")),
        exposure_id("reviews", "ann", Assigned("colour", 3, "blue")),
        exposure_id("reviews", "ann", Assigned("colour", 2, "red")),
    }
    assert len(others) == 6
