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


def test_it_is_ready_when_every_stage_reads() -> None:
    health = Health()
    health.expect(["ingress", "expert.1"])
    health.reading(True, stage="ingress")
    assert (health.is_ready, health.why) == (False, "expert.1: starting")
    health.reading(True, stage="expert.1")
    assert health.is_ready
    health.reading(False, "waiting for partitions", stage="expert.1")
    assert (health.is_ready, health.why) == (False, "expert.1: waiting for partitions")
    health.reading(True, stage="ingress")
    assert not health.is_ready, "another stage does not speak for it"


def test_a_worker_that_expects_its_stages_begins_as_not_ready() -> None:
    health = Health()
    health.expect(["ingress", "egress"])
    assert (health.is_ready, health.why) == (False, "starting")


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
