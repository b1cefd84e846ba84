"""The histogram that takes batches tells Prometheus what prometheus_client's own would."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from headrace.streams.histogram import BatchHistogram

BOUNDS = (0.001, 0.5, 1, 30)


def lines(registry: CollectorRegistry) -> list[str]:
    return [line for line in generate_latest(registry).decode().splitlines() if "_created" not in line]


@given(st.lists(st.lists(st.sampled_from([0.0, 0.0005, 0.001, 0.25, 0.5, 0.75, 1.0, 8.0, 30.0, 31.5])), max_size=4))
def test_it_shows_what_the_usual_one_shows(batches: list[list[float]]) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    batched = BatchHistogram("a_seconds", "What it is", "p", bounds=BOUNDS, registry=ours)
    usual = Histogram("a_seconds", "What it is", ["pipeline"], buckets=BOUNDS, registry=theirs).labels("p")
    for batch in batches:
        batched.observe(batch)
        for value in batch:
            usual.observe(value)
    assert lines(ours) == lines(theirs)
