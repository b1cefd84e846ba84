"""What /readyz says."""

from __future__ import annotations

from headrace.streams.health import Health


def test_a_worker_begins_as_not_ready() -> None:
    health = Health()
    assert (health.is_ready, health.why) == (False, "starting")


def test_it_is_ready_when_it_reads_and_the_broker_answers() -> None:
    health = Health()
    health.reading(True)
    assert (health.is_ready, health.why) == (True, "")
    assert health.facts()["ready"] is True


def test_it_says_why_it_is_not() -> None:
    health = Health()
    health.reading(False, "waiting for partitions")
    assert health.why == "waiting for partitions"
    health.reading(True)
    health.broker("the broker does not answer")
    assert (health.is_ready, health.why) == (False, "the broker does not answer")
    health.broker()
    assert health.is_ready
    health.stopping()
    assert (health.is_ready, health.why) == (False, "stopping")


def test_the_seconds_count_from_the_last_change() -> None:
    health = Health()
    health.reading(True)
    assert health.facts()["seconds"] == 0
