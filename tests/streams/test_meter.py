"""The figures at /metrics."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from headrace.core.wire.dead import Failure
from headrace.streams.meter import Meter
from headrace.streams.slot import Slot
from tests.support.made import message


def samples(meter: Meter) -> dict[tuple[str, ...], float]:
    families = text_string_to_metric_families(meter.exposition().decode())
    return {
        (sample.name, *(sample.labels[name] for name in sorted(sample.labels) if name != "pipeline")): sample.value
        for family in families
        for sample in family.samples
        if not sample.name.endswith(("_created", "_bucket"))
    }


def failed(code: str) -> Failure:
    return Failure(code=code, error="E", kind="author", message="m", stage="s", plugin="p")


def test_a_batch_is_counted_by_how_its_records_ended() -> None:
    meter, slots = Meter("reviews"), [Slot(message()) for _ in range(4)]
    slots[2].fail(failed("HR501"))
    slots[3].dead = [failed("HR508")]
    meter.ended(["ok", "expired", "ok"], [0.25, 0.25, 0.75])
    meter.failed(slots)
    figures = samples(meter)
    assert figures["headrace_records_total", "ok"] == 2
    assert figures["headrace_records_total", "expired"] == 1
    assert figures["headrace_records_total", "dead"] == 1
    assert figures["headrace_dead_letters_total", "HR501"] == 1
    assert figures["headrace_dead_letters_total", "HR508"] == 1
    assert figures["headrace_record_seconds_count",] == 3
    assert figures["headrace_record_seconds_sum",] == 1.25


def test_models_gaps_and_what_is_in_flight_are_counted() -> None:
    meter = Meter("reviews")
    meter.model("quick", 64, 0.5)
    meter.gap()
    meter.in_flight("ingress", 7)
    meter.in_flight("expert", 3)
    figures = samples(meter)
    assert figures["headrace_model_records_total", "quick"] == 64
    assert figures["headrace_model_batch_seconds_sum", "quick"] == 0.5
    assert figures["headrace_gaps_total",] == 1
    assert figures["headrace_in_flight_records", "ingress"] == 7
    assert figures["headrace_in_flight_records", "expert"] == 3


def test_the_lag_of_a_partition_that_went_to_another_worker_is_no_longer_ours_to_tell() -> None:
    meter = Meter("reviews")
    meter.lag("ingress", {0: 5, 1: 7})
    meter.lag("egress", {0: 2})
    meter.lag("ingress", {1: 6})
    figures = samples(meter)
    assert ("headrace_lag_records", "0", "ingress") not in figures
    assert figures["headrace_lag_records", "1", "ingress"] == 6
    assert figures["headrace_lag_records", "0", "egress"] == 2, "another stage's stays"


def test_records_that_wait_are_gauged_and_late_answers_counted() -> None:
    meter = Meter("reviews")
    meter.joins(5, 1)
    meter.joins(3, 2)
    figures = samples(meter)
    assert figures["headrace_join_waiting_records",] == 3
    assert figures["headrace_late_answers_total",] == 3
