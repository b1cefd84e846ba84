"""Where reading begins: at the committed offset, else where the file says, and never past a silent gap."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from headrace.core.errors import Place
from headrace.core.plan.plan import InputPlan
from headrace.streams.broker import Running
from headrace.streams.errors import OffsetGapError
from headrace.streams.position import take_positions
from tests.support.client import Client

pytestmark = pytest.mark.broker

HOUR_MS = 3_600_000


@dataclass
class Case:
    """A topic of two partitions with five messages each, an hour between one and the next."""

    client: Client
    topic: str
    noon_ms: int
    gaps: int = 0

    def source(self, start: str = "earliest", on_gap: Any = "stop") -> InputPlan:
        return InputPlan(self.topic, None, None, start, on_gap, Place("p.yaml", 3, 8))  # type: ignore[arg-type]

    def note_gap(self) -> None:
        self.gaps += 1

    async def begin(
        self, source: InputPlan, ours: Mapping[int, int] | None = None
    ) -> tuple[dict[int, int], dict[int, int]]:
        """Return where each partition is read from, and which of those offsets are new and must be committed."""
        async with consuming(self.client.bootstrap, self.topic) as (consumer, tps):
            known = {tps[number]: offset for number, offset in (ours or {}).items()}
            taken = await take_positions(consumer, tps, source, self.note_gap, known)
            at = {tp.partition: await consumer.position(tp) for tp in tps}
        return at, {tp.partition: offset for tp, offset in taken.chosen.items()}


@asynccontextmanager
async def consuming(bootstrap: str, topic: str) -> AsyncIterator[tuple[Any, list[Any]]]:
    from aiokafka import AIOKafkaConsumer, TopicPartition

    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, group_id=f"{topic}.ingress", enable_auto_commit=False, auto_offset_reset="none"
    )
    tps = [TopicPartition(topic, number) for number in (0, 1)]
    consumer.assign(tps)
    await consumer.start()
    try:
        yield consumer, tps
    finally:
        await consumer.stop()


@pytest.fixture
def case(kafka: Running, topic: Callable[..., str]) -> Case:
    client, noon_ms = Client(kafka.bootstrap), 1_795_435_200_000 - 24 * HOUR_MS
    client.make_topic(topic(), 2)
    times = [noon_ms + hour * HOUR_MS for hour in range(5)]
    client.publish(topic(), *({"value": b"x", "partition": to, "timestamp": at} for to in (0, 1) for at in times))
    return Case(client, topic(), noon_ms)


def committed(case: Case, **offsets: int) -> None:
    case.client.commit(f"{case.topic}.ingress", case.topic, {int(name[1:]): offset for name, offset in offsets.items()})


async def test_what_is_committed_is_where_it_goes_on(case: Case) -> None:
    committed(case, p0=3, p1=5)
    assert await case.begin(case.source("latest")) == ({0: 3, 1: 5}, {})


async def test_what_this_process_committed_counts_where_kafka_gives_less(
    case: Case, caplog: pytest.LogCaptureFixture
) -> None:
    committed(case, p0=3, p1=3)
    assert await case.begin(case.source(), {0: 4, 1: 2}) == ({0: 4, 1: 3}, {0: 4})
    assert caplog.messages == [f"{case.topic}:0 is committed up to 4, and Kafka says 3"]
    case.client.delete_before(case.topic, {0: 4})
    assert await case.begin(case.source(), {0: 5}) == ({0: 5, 1: 3}, {0: 5}), "where it would stop for a gap else"


async def test_what_this_process_committed_of_a_topic_that_was_made_anew_counts_for_nothing(case: Case) -> None:
    committed(case, p0=3, p1=3)
    assert await case.begin(case.source(), {0: 6}) == ({0: 3, 1: 3}, {})


@pytest.mark.parametrize(
    ("start", "offset"),
    [
        ("earliest", 0),
        ("latest", 5),
        ("2026-11-22T14:30:00Z", 3),
        ("2026-11-22T14:00:00", 2),
        ("2026-11-22T13:00:00+01:00", 0),
        ("1999-01-01", 0),
        ("2999-01-01", 5),
    ],
)
async def test_a_pipeline_that_never_ran_begins_where_the_file_says(case: Case, start: str, offset: int) -> None:
    at, fresh = await case.begin(case.source(start))
    assert at == {0: offset, 1: offset}
    assert fresh == at, "to be committed at once: `latest` would mean another offset after a crash"


async def test_a_partition_that_is_new_begins_as_the_file_says_beside_one_that_is_not(case: Case) -> None:
    committed(case, p0=2)
    assert await case.begin(case.source()) == ({0: 2, 1: 0}, {1: 0})


@pytest.mark.provokes("HR215")
async def test_records_that_expired_before_they_were_read_stop_it_at_the_file_s_place(case: Case) -> None:
    committed(case, p0=1, p1=1)
    case.client.delete_before(case.topic, {0: 3})
    fault = r"p.yaml:3:8 HR215 .*:0 was read up to 1, but holds 3 to 5: its records expired; set input: \{on_gap: con"
    with pytest.raises(OffsetGapError, match=fault):
        await case.begin(case.source())
    assert case.gaps == 0


async def test_a_topic_made_anew_stops_it_too(case: Case) -> None:
    committed(case, p0=100, p1=1)
    with pytest.raises(OffsetGapError, match="was read up to 100, but holds 0 to 5: the topic was made anew"):
        await case.begin(case.source())


async def test_with_leave_a_gap_is_counted_and_reading_goes_on_with_what_is_there(case: Case) -> None:
    committed(case, p0=1, p1=100)
    case.client.delete_before(case.topic, {0: 3})
    assert await case.begin(case.source(on_gap="continue")) == ({0: 3, 1: 0}, {0: 3, 1: 0})
    assert case.gaps == 2


async def test_a_committed_offset_at_either_end_is_no_gap(case: Case) -> None:
    committed(case, p0=3, p1=5)
    case.client.delete_before(case.topic, {0: 3})
    assert await case.begin(case.source()) == ({0: 3, 1: 5}, {})
