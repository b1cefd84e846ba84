"""The record loop over a broker made of lists: what it sends, commits, reads again, and when it gives up."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import pairwise
from typing import Any, NamedTuple

import pytest
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaConnectionError, ProducerFenced

from headrace.core.errors import ConfigError
from headrace.core.failure import Failure
from headrace.core.record import Message, Position
from headrace.streams.at_least_once import AtLeastOnce
from headrace.streams.batch_limit import BatchLimit
from headrace.streams.commit import Committer
from headrace.streams.delivery import ReadAgainError
from headrace.streams.endurance import Endurance
from headrace.streams.errors import OffsetGapError, UnexpectedError
from headrace.streams.health import Health
from headrace.streams.hold import Held, Holding, HoldRules
from headrace.streams.loop import RecordLoop
from headrace.streams.loop_settings import LoopSettings
from headrace.streams.meter import Meter
from headrace.streams.outcome import Outcome
from headrace.streams.slot import Slot

PATIENCE_S = 20.0


class Tp(NamedTuple):
    topic: str
    partition: int


TP = Tp("reviews", 0)


class Told(AtLeastOnce):
    """Tells the world when it is renewed."""

    world: World

    async def renew(self, partitions: Iterable[Any]) -> None:
        await super().renew(partitions)
        self.world.events.append("renew")


class World:
    """A topic of `count` records, its reader, and a producer whose acknowledgements the test may hold or fail."""

    def __init__(self, count: int, batch: int = 4, every_ms: float = 0) -> None:
        self.count, self.at, self.committed = count, 0, 0
        self.sent: list[int] = []
        self.events: list[str] = []
        self.acknowledge = asyncio.Event()
        self.acknowledge.set()
        self.faults: list[BaseException] = []
        self.poll_faults: list[Exception] = []
        self.commit_faults: list[Exception] = []
        self.gate = threading.Event()
        self.gate.set()
        self.bug: BaseException | None = None
        self.is_assigned = True
        self.why_paused: str | None = None
        self.full: set[int] = set()
        self.held: set[Tp] = set()
        self.intact: list[bool] = []
        self.weights = 1
        self.health, self.meter = Health(), Meter("reviews")
        self.executor = ThreadPoolExecutor(1)
        self.unreturned = self.stays = 0
        delivery = Told(
            self,  # type: ignore[arg-type]
            Committer(self._commit, self.assignment, every_ms),
        )
        delivery.world = self
        self.delivery = delivery
        self.settings = LoopSettings(
            max_wait_ms=1,
            weigh=lambda message: self.weights,
            paused=lambda: self.why_paused,
            full=lambda: self.full,
            first_backoff_s=0.001,
            last_backoff_s=0.004,
        )
        self.batch = batch
        self.tell()

    def tell(self, **settings: Any) -> None:
        """Make the loop, with other settings than it was made with before."""
        self.settings = replace(self.settings, **settings)
        self.loop = RecordLoop(
            consumer=self,
            process=self._process,
            executor=self.executor,
            delivery=self.delivery,
            resume=self._resume,
            limit=BatchLimit(self.batch, 3600),
            health=self.health,
            meter=self.meter,
            settings=self.settings,
        )

    def assignment(self) -> set[Tp]:
        return {TP} if self.is_assigned else set()

    async def position(self, tp: Tp) -> int:
        return self.at

    def seek(self, tp: Tp, offset: int) -> None:
        self.at = offset

    def pause(self, *tps: Tp) -> None:
        self.held |= set(tps)

    def paused(self) -> set[Tp]:
        return set(self.held)

    def resume(self, *tps: Tp) -> None:
        self.held -= set(tps)

    def stay(self) -> None:
        self.stays += 1

    async def getmany(self, *, timeout_ms: float, max_records: int) -> Mapping[Tp, Sequence[Message]]:
        await asyncio.sleep(0)
        if self.poll_faults:
            raise self.poll_faults.pop(0)
        end = self.at if TP in self.held else min(self.count, self.at + max_records)
        raws = [Message(Position(TP.topic, TP.partition, offset), None, b"", (), 0) for offset in range(self.at, end)]
        self.at = max(end, self.count + self.unreturned) if end == self.count and TP not in self.held else end
        if not raws:
            await asyncio.sleep(0.001)
        return {TP: raws} if raws else {}

    def _process(self, messages: Sequence[Message]) -> Outcome:
        self.events.append(f"process {messages[0].position.offset}")
        assert self.gate.wait(PATIENCE_S)
        if self.bug is not None:
            raise self.bug
        return Outcome([Slot(message) for message in messages], [])

    def renew(self) -> None:
        """Nothing of a sender's is kept here."""

    async def hand_over(self, outcome: Outcome) -> list[Slot]:
        self.events.append(f"send {outcome.slots[0].source.offset}")
        self.sent += [slot.source.offset for slot in outcome.slots]
        return outcome.slots

    async def acknowledged(self, slots: Sequence[Slot]) -> None:
        await self.acknowledge.wait()
        if self.faults:
            raise self.faults.pop(0)
        self.events.append(f"acknowledge {slots[0].source.offset}")

    async def close(self, outcome: Outcome) -> None:
        """Nothing is kept of joins here."""

    async def _commit(self, offsets: Mapping[Tp, int]) -> None:
        if self.commit_faults:
            raise self.commit_faults.pop(0)
        self.committed = offsets[TP]
        self.events.append(f"commit {self.committed}")

    async def _resume(self, is_intact: bool) -> Mapping[Tp, int]:
        self.at = self.committed
        self.intact.append(is_intact)
        self.events.append(f"resume {self.committed}")
        return {}


async def until(ask: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not ask():
            await asyncio.sleep(0.001)


@asynccontextmanager
async def running(world: World) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(world.loop.run())
    try:
        yield task
    finally:
        world.gate.set()
        world.acknowledge.set()
        world.commit_faults.clear()
        await world.loop.stop()
        await asyncio.gather(task, return_exceptions=True)
        world.executor.shutdown()


def held_at(offset: int, *, is_final: bool = False) -> Held:
    said: dict[str, Any] = {"error": "E", "kind": "author", "message": "no", "stage": "s", "plugin": "p"}
    position = Position(TP.topic, TP.partition, offset)
    return Held(position, position, Failure(code="HR501", **said), is_final)


class Holder(World):
    """A world in which a record holds up the partition as often as `times` says; each wait is as long as a test."""

    def __init__(self, count: int, at: int, *, times: float = 1, is_final: bool = False) -> None:
        super().__init__(count)
        self.stuck, self.times, self.is_final, self.now = at, times, is_final, 0.0
        self.holding = Holding(HoldRules(), lambda: self.now)

        def on_final(held: Held) -> ConfigError:
            return ConfigError(str(held.carrier.offset))

        self.tell(holding=self.holding, on_final=on_final)

    def _process(self, messages: Sequence[Message]) -> Outcome:
        outcome = super()._process(messages)
        if self.times <= 0 or self.stuck not in [slot.source.offset for slot in outcome.slots]:
            return outcome
        self.times -= 1
        kept = [slot for slot in outcome.slots if slot.source.offset < self.stuck]
        return Outcome(kept, [], [held_at(self.stuck, is_final=self.is_final)])

    async def hand_over(self, outcome: Outcome) -> list[Slot]:
        return await super().hand_over(outcome) if outcome.slots else []

    async def acknowledged(self, slots: Sequence[Slot]) -> None:
        if slots:
            await super().acknowledged(slots)


@pytest.mark.parametrize("at", [0, 5, 8, 11])
async def test_a_record_that_holds_up_its_partition_is_read_again_and_nothing_is_sent_past_it(at: int) -> None:
    world = Holder(12, at, times=2)
    async with running(world):
        await until(lambda: world.times == 1 and bool(world.held))
        await asyncio.sleep(0.02)
        assert (world.committed, world.sent) == (at, list(range(at)))
        assert world.health.is_ready, "the worker is well; it is the record that is not"
        world.now += 10
        await until(lambda: world.times == 0 and bool(world.held))
        world.now += 10
        await until(lambda: world.committed == 12)
    assert world.sent == list(range(12)), "in order, and none twice"
    assert world.holding.known({(TP.topic, TP.partition)}) == {}
    assert world.intact == [False, True, True], "nothing is lost that was known of the partitions"


async def test_a_record_that_stops_the_worker_leaves_what_was_before_it_committed() -> None:
    world = Holder(12, 5, times=9, is_final=True)
    async with running(world) as task:
        with pytest.raises(ConfigError, match=r"^5$"):
            async with asyncio.timeout(PATIENCE_S):
                await task
    assert (world.committed, world.sent) == (5, [0, 1, 2, 3, 4])


async def test_a_record_that_holds_up_its_partition_is_not_lost_when_somebody_else_waits_for_its_batch() -> None:
    world = Holder(12, 5)
    world.gate.clear()
    async with running(world):
        await until(lambda: len(world.loop._flights) == 2)
        asyncio.get_running_loop().call_later(0.02, world.gate.set)
        async with world.loop.held():
            pass
        await until(lambda: world.committed == 12)
    assert world.sent == list(range(12))


async def test_a_commit_that_fails_before_a_held_record_is_made_later() -> None:
    world = Holder(12, 5)
    world.commit_faults.append(KafkaConnectionError("gone"))
    async with running(world) as task:
        await until(lambda: not world.commit_faults)
        world.now += 10
        await until(lambda: world.committed == 12)
        assert not task.done()
    assert set(world.sent) == set(range(12))


async def test_what_is_not_due_is_left_where_it_lies_until_it_is() -> None:
    world = Holder(12, -1, times=0)

    def early_s(topic: str, raw: Message) -> float:
        return 5.0 - world.now if raw.position.offset >= 6 else 0.0

    world.tell(early_s=early_s)
    async with running(world):
        await until(lambda: world.committed == 6 and bool(world.held))
        await asyncio.sleep(0.02)
        assert (world.committed, world.sent) == (6, list(range(6)))
        world.now = 6.0
        await until(lambda: world.committed == 12)
    assert world.sent == list(range(12)), "in order, and none twice"


@pytest.mark.parametrize("what", ["its commit fails", "one before it has failed", "it is not ours"])
async def test_what_is_not_committed_before_a_held_record_or_not_ours_is_not_known_any_more(what: str) -> None:
    world = Holder(12, 5)
    process = world._process

    def _process(messages: Sequence[Message]) -> Outcome:
        outcome = process(messages)
        if not outcome.held:
            return outcome
        if what == "it is not ours":
            world.loop.assigned()
        elif what == "its commit fails":
            world.commit_faults.append(KafkaConnectionError("gone"))
        else:
            world.loop._timer._failure = KafkaConnectionError("gone")
        return outcome

    world.loop._process = _process
    async with running(world):
        await until(lambda: world.times == 0 and len(world.intact) == 2)
        world.now += 10
        await until(lambda: world.committed == 12)
    assert world.intact == [False, False]


@pytest.mark.parametrize("is_stopped", [False, True])
async def test_who_waits_for_a_commit_hears_that_the_one_on_time_has_failed(is_stopped: bool) -> None:
    """It took the offsets with it: the next commit has nothing to do, and is no sign that they are committed."""
    world = World(4)
    world.loop._standing.is_stale, world.loop._standing.is_intact = False, True
    world.loop._timer._failure = KafkaConnectionError("gone")
    with pytest.raises(KafkaConnectionError):
        await (world.loop.stop() if is_stopped else world.loop.held().__aenter__())
    assert (world.loop._standing.is_stale, world.loop._standing.is_intact) == (True, False), "it is read again"


async def test_a_wait_that_is_over_by_time_is_not_told_again_while_its_partition_waits() -> None:
    world = Holder(0, -1, times=1)
    tick = Message(Position(TP.topic, TP.partition, -1), None, None, (), 0)

    async def ticks() -> tuple[list[Message], dict[Any, int]]:
        return [tick], {TP: 0}

    world.tell(ticks=ticks)
    async with running(world):
        await until(lambda: world.times == 0 and bool(world.held))
        told = world.events.count("process -1")
        await asyncio.sleep(0.02)
        assert world.events.count("process -1") == told
        assert world.committed == 0, "an offset, and not that of a message that lies nowhere"
        world.now += 10
        await until(lambda: world.events.count("process -1") > told)


async def test_every_record_is_sent_in_order_and_committed() -> None:
    world = World(50)
    async with running(world):
        await until(lambda: world.committed == 50)
    assert world.sent == list(range(50))
    assert world.health.facts()["ready"] is True


async def test_nothing_is_committed_before_its_acknowledgement() -> None:
    world = World(4)
    world.acknowledge.clear()
    async with running(world):
        await until(lambda: len(world.sent) == 4)
        await asyncio.sleep(0.02)
        assert world.committed == 0
        world.acknowledge.set()
        await until(lambda: world.committed == 4)


async def test_two_batches_are_in_flight_and_no_more() -> None:
    world = World(20)
    world.acknowledge.clear()
    async with running(world):
        await until(lambda: "process 4" in world.events)
        await asyncio.sleep(0.02)
        assert "process 8" not in world.events
        assert "# TYPE headrace_in_flight" in world.meter.exposition().decode()
        assert 'headrace_in_flight_records{pipeline="reviews",stage="ingress"} 8.0' in world.meter.exposition().decode()


async def test_a_batch_fills_up_while_the_one_before_it_is_at_its_steps() -> None:
    world = World(2)
    world.gate.clear()
    async with running(world):
        await until(lambda: "process 0" in world.events)
        world.count = 4
        await until(lambda: world.at == 4)  # the second batch holds two records, and is not full
        world.count = 6
        await until(lambda: world.at == 6)
        world.gate.set()
        await until(lambda: world.committed == 6)
    assert [event for event in world.events if event.startswith("process")] == ["process 0", "process 2"]


async def test_a_batch_that_is_not_full_goes_as_soon_as_the_steps_are_free() -> None:
    world = World(2)
    world.gate.clear()
    async with running(world):
        await until(lambda: "process 0" in world.events)
        world.count = 3
        await until(lambda: world.at == 3)
        world.bug = OSError("the steps end badly")  # and that frees them too
        world.gate.set()
        await until(lambda: "resume 0" in world.events[1:])
        world.bug = None
        await until(lambda: world.committed == 3)


async def test_a_batch_is_noted_only_after_the_one_before_it() -> None:
    world = World(8)
    first, second = asyncio.Event(), asyncio.Event()

    async def acknowledged(slots: Sequence[Slot]) -> None:
        await (first if slots[0].source.offset == 0 else second).wait()

    world.acknowledged = acknowledged  # type: ignore[method-assign]
    async with running(world):
        await until(lambda: len(world.sent) == 8)
        second.set()
        await asyncio.sleep(0.02)
        assert world.committed == 0, "the second batch is acknowledged, the first is not"
        first.set()
        await until(lambda: world.committed == 8)


async def test_while_it_is_held_everything_it_took_up_is_committed_and_nothing_new_is() -> None:
    world = World(40)
    world.acknowledge.clear()
    async with running(world):
        await until(lambda: "process 4" in world.events)
        asyncio.get_running_loop().call_later(0.02, world.acknowledge.set)
        async with world.loop.held():
            taken = len(world.sent)
            assert world.committed == taken
            await asyncio.sleep(0.02)
            assert len(world.sent) == taken
        await until(lambda: world.committed == 40)
    assert world.sent == list(range(40)), "nothing is read again"


async def test_what_fails_while_it_is_held_is_read_again_afterwards() -> None:
    world = World(12)
    world.acknowledge.clear()
    async with running(world):
        await until(lambda: "process 4" in world.events)
        world.faults.append(KafkaConnectionError("gone"))
        world.acknowledge.set()
        async with world.loop.held():
            assert world.committed == 0
        await until(lambda: world.committed == 12)
    assert set(world.sent) == set(range(12))


@pytest.mark.parametrize(
    "fault",
    [
        KafkaConnectionError("gone"),
        ProducerFenced(),
        CommitFailedError("gone"),
        IllegalStateError("gone"),
        AssertionError("wrong state"),
        RuntimeError("odd"),
    ],
)
@pytest.mark.parametrize("where", ["faults", "commit_faults", "poll_faults"])
async def test_after_an_error_reading_goes_back_to_what_is_committed(fault: Exception, where: str) -> None:
    """Trap 5: all of these were met in a loop with transactions."""
    world = World(12)
    getattr(world, where).append(fault)
    async with running(world):
        await until(lambda: world.committed == 12)
    assert sorted(set(world.sent)) == list(range(12))
    assert world.events.index("resume 0", 1) > 0
    commits = [event for event in world.events if event.startswith("commit")]
    assert commits == sorted(commits, key=lambda event: int(event.split()[1])), "no commit goes back"


@pytest.mark.parametrize("where", ["poll_faults", "commit_faults"])
async def test_a_broker_that_fails_for_a_while_is_waited_for(where: str) -> None:
    world = World(8)
    getattr(world, where).extend(KafkaConnectionError("gone") for _ in range(40))
    async with running(world):
        await until(lambda: world.committed == 8)
    assert set(world.sent) == set(range(8))


async def test_while_it_fails_it_is_not_ready_and_says_why() -> None:
    world = World(4)
    world.faults.extend(KafkaConnectionError("gone") for _ in range(20))
    async with running(world):
        await until(lambda: not world.faults)
        seen = []
        world.faults.extend(KafkaConnectionError("gone") for _ in range(20))
        while world.faults:
            seen.append((world.health.is_ready, world.health.why))
            await asyncio.sleep(0)
        assert {ready for ready, _ in seen} == {False}, "reading the failing batch again is no recovery"
        assert all("gone" in why for _, why in seen)
        await until(lambda: world.health.is_ready)


@pytest.mark.provokes("HR999")
@pytest.mark.parametrize("bug", [RuntimeError("a bug of ours"), IndexError("another")])
async def test_a_fault_of_our_own_that_comes_back_stops_the_loop_loudly(bug: Exception) -> None:
    world = World(4)
    world.bug = bug
    async with running(world) as task:
        with pytest.raises(UnexpectedError, match=str(bug)):
            async with asyncio.timeout(PATIENCE_S):
                await task
    assert world.committed == 0
    assert world.sent == []


async def test_a_fault_now_and_then_stops_nothing() -> None:
    world = World(400)
    async with running(world):
        for number in range(1, 30):
            await until(lambda: world.committed >= 10 * number)  # noqa: B023 - asked before the next round
            world.faults.append(RuntimeError("now and then"))
        await until(lambda: world.committed == 400)


async def test_before_committed_offsets_are_read_the_delivery_is_renewed_each_time() -> None:
    """Trap 1: after every assignment and every error, or another owner's commit may still come after the reading."""
    world = World(1_000)
    world.faults.append(KafkaConnectionError("gone"))
    async with running(world):
        await until(lambda: world.committed >= 100)
        await world.loop.revoked()
        world.loop.assigned()
        await until(lambda: world.committed == 1_000)
    taken = [event.split()[0] for event in world.events if event.startswith(("renew", "resume"))]
    assert taken == ["renew", "resume"] * 3


async def test_what_will_come_out_otherwise_is_read_again_without_a_pause() -> None:
    world = World(4)
    world.loop._endurance = Endurance(3600, 3600)
    world.faults.append(ReadAgainError("a result was refused"))
    async with running(world):
        await until(lambda: world.committed == 4)


async def test_offsets_that_hold_no_record_are_committed_when_the_stage_is_idle() -> None:
    world = World(8)
    async with running(world):
        await until(lambda: world.committed == 8)
        world.unreturned = 3
        await until(lambda: world.committed == 11)
    assert world.sent == list(range(8))


async def test_offsets_that_hold_no_record_are_not_passed_while_batches_before_them_are_in_flight() -> None:
    world = World(4)
    world.acknowledge.clear()
    async with running(world):
        await until(lambda: len(world.sent) == 4)
        world.unreturned = 3
        await until(lambda: world.at == 7)
        await asyncio.sleep(0.05)
        assert world.committed == 0
        world.acknowledge.set()
        await until(lambda: world.committed == 7)


async def test_what_is_delivered_is_committed_while_the_next_batches_take_long() -> None:
    """Trap 4: in a transaction that stays open while others run, readers wait, and in the end the broker aborts it."""
    world = World(40, every_ms=100)
    world.delivery._committer._last = time.monotonic()  # or the first one would be due at once
    quick, release = world.loop._process, threading.Event()

    def process(messages: Sequence[Message]) -> Outcome:
        assert messages[0].position.offset < 4 or release.wait(PATIENCE_S)
        return quick(messages)

    world.loop._process = process
    async with running(world):
        try:
            await until(lambda: world.committed == 4)
        finally:
            release.set()
        await until(lambda: world.committed == 40)


async def test_a_record_after_a_quiet_time_waits_for_nobody_and_those_right_behind_it_wait_for_each_other() -> None:
    world = World(1)
    world.tell(max_wait_ms=600, weigh=None)
    async with running(world):
        begun = time.monotonic()
        await until(lambda: world.committed == 1)
        assert time.monotonic() - begun < 0.5, "a batch of one, at once"
        for world.count in (2, 3):
            await asyncio.sleep(0.02)
        await until(lambda: world.committed == 3)
        assert time.monotonic() - begun > 0.5, "they come thick and fast: a batch every 600 ms"
    assert [event for event in world.events if event.startswith("process")] == ["process 0", "process 1"]


async def test_a_batch_that_may_not_begin_grows_until_one_before_it_has_ended() -> None:
    world = World(1, batch=64)
    world.tell(max_wait_ms=0, weigh=None)
    world.acknowledge.clear()
    async with running(world):
        await until(lambda: len(world.loop._flights) == 1)
        world.count = 2
        await until(lambda: len(world.loop._flights) == 2 and "process 1" in world.events)
        for world.count in (3, 4, 5):
            await asyncio.sleep(0.02)
        world.acknowledge.set()
        await until(lambda: world.committed == 5)
    assert [event for event in world.events if event.startswith("process")] == ["process 0", "process 1", "process 2"]


async def test_an_error_that_waiting_cannot_mend_ends_the_loop() -> None:
    world = World(4)

    async def resume(is_intact: bool) -> Mapping[Tp, int]:
        raise OffsetGapError("expired", mend="say continue")

    world.loop._resume = resume
    async with running(world) as task:
        with pytest.raises(OffsetGapError):
            async with asyncio.timeout(PATIENCE_S):
                await task


async def test_stopping_lets_what_is_in_flight_end_and_commits_it_and_reads_no_more() -> None:
    world = World(1_000)
    world.gate.clear()
    async with running(world) as task:
        await until(lambda: "process 0" in world.events)
        stopping = asyncio.create_task(world.loop.stop())
        await asyncio.sleep(0.02)
        assert not stopping.done(), "a batch is in flight"
        world.gate.set()
        await stopping
        await asyncio.wait_for(task, PATIENCE_S)
    assert world.committed == len(world.sent) <= 8
    assert world.sent == list(range(world.committed))


async def test_a_paused_stage_reads_nothing_says_so_and_goes_on_where_it_was() -> None:
    world = World(8)
    world.why_paused = "by hand"
    async with running(world):
        await until(lambda: world.health.why == "paused")
        await asyncio.sleep(0.02)
        assert world.sent == []
        world.why_paused = None
        await until(lambda: world.committed == 8 and world.health.is_ready)
    assert world.sent == list(range(8))


async def test_a_full_partition_is_not_read_until_there_is_room() -> None:
    world = World(8)
    world.full = {TP.partition}
    async with running(world):
        await until(lambda: TP in world.held)
        assert world.sent == []
        world.full = set()
        await until(lambda: world.committed == 8)
    assert world.sent == list(range(8))


async def test_messages_that_hold_many_records_are_weighed_so_that_a_batch_is_no_larger() -> None:
    world = World(200, batch=64)
    world.weights = 16
    async with running(world):
        await until(lambda: world.committed == 200)
    begins = [int(event.split()[1]) for event in world.events if event.startswith("process")]
    sizes = [after - before for before, after in pairwise(begins)]
    assert set(sizes) == {4}, "64 records are four messages of sixteen, also in the first batch after a stop"


async def test_what_is_in_flight_is_told_in_records_of_its_stage() -> None:
    world = World(4, batch=64)
    world.weights = 5
    world.acknowledge.clear()
    async with running(world):
        await until(lambda: len(world.sent) == 4)
        assert (
            'headrace_in_flight_records{pipeline="reviews",stage="ingress"} 20.0' in world.meter.exposition().decode()
        )


async def test_partitions_are_given_away_only_after_their_batches_are_committed() -> None:
    world = World(1_000)
    world.gate.clear()
    async with running(world):
        await until(lambda: "process 0" in world.events)
        giving = asyncio.create_task(world.loop.revoked())
        await asyncio.sleep(0.02)
        assert not giving.done()
        world.gate.set()
        await giving
        at = len(world.events)
        assert world.committed == len(world.sent)
        world.is_assigned = False
        await asyncio.sleep(0.02)
        assert not [event for event in world.events[at:] if event.startswith(("process", "send"))]
        assert world.health.why == "waiting for partitions"
        assert world.stays, "aiokafka joins no group for a reader that has not polled for long"
        world.is_assigned = True
        world.loop.assigned()
        await until(lambda: world.committed == 1_000)
    assert world.sent == list(range(1_000)), "taken over without a gap and without a repetition"


async def test_what_a_poll_brought_while_the_assignment_changed_is_dropped() -> None:
    """Trap 3: it may belong to another worker by now, or have been committed by it."""
    world = World(8)
    polled = asyncio.Event()
    release = asyncio.Event()
    getmany = world.getmany

    async def slow(**asked: Any) -> Mapping[Tp, Sequence[Message]]:
        found = await getmany(**asked)
        polled.set()
        await release.wait()
        return found

    world.getmany = slow  # type: ignore[method-assign]
    async with running(world):
        await polled.wait()
        await world.loop.revoked()
        world.committed = 4  # the other worker had these four
        world.loop.assigned()
        release.set()
        await until(lambda: world.committed == 8)
    assert world.sent == [4, 5, 6, 7]
