"""The record loop over a broker made of lists, with a journal: what it writes before which record goes to its steps."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError

from headrace.core.failure import Failure
from headrace.core.record import Message
from headrace.core.wire.journal import Entry, decode_entry
from headrace.streams.journal import Found, Journal
from headrace.streams.loop import RecordLoop
from headrace.streams.outcome import Outcome
from headrace.streams.rest import heed_pause
from headrace.streams.slot import Slot
from headrace.streams.suspects import Suspects
from tests.streams.test_loop import TP, Tp, World, held_at, running, until

OTHER = Tp("reviews", 1)


class DiesError(BaseException):
    """Stands for the end of the process: nobody catches it, and nothing is written any more."""


class Watched(World):
    """A world whose committed offset has metadata, in which texts of some offsets end the process."""

    def __init__(
        self,
        count: int,
        killers: Iterable[int] = (),
        *,
        words: str = "",
        committed: int = 0,
        by: str = "me",
        every_ms: float = 0,
    ) -> None:
        super().__init__(count, every_ms=every_ms)
        self.killers, self.words, self.committed = set(killers), words, committed
        self.journal = Journal("ingress", 8, by)
        self.condemned: list[tuple[int, str, bool]] = []
        self.batches: list[list[int]] = []
        self.at_work: list[str] = []
        self.mark_faults: list[Exception] = []
        self.delivery._mark = self._mark
        self.suspects = Suspects(self.journal, self.delivery.mark, self._condemn, stage="ingress")
        self.tell(suspects=self.suspects)

    @property
    def said(self) -> Entry | None:
        return decode_entry(self.words)

    async def _mark(self, partitions: Iterable[Any]) -> None:
        if self.mark_faults:
            raise self.mark_faults.pop(0)
        self.words = self.journal.words(TP, self.committed)
        self.events.append(f"mark {self.committed}")

    async def _commit(self, offsets: Mapping[Tp, int]) -> None:
        words = self.journal.words(TP, offsets[TP])
        await super()._commit(offsets)
        self.words = words
        self.journal.committed(offsets)

    async def _resume(self, is_intact: bool) -> Mapping[Tp, int]:
        chosen = await super()._resume(is_intact)
        self.journal.begin({TP: Found(self.committed, self.words, self.count)})
        return chosen

    def _process(self, messages: Sequence[Message]) -> Outcome:
        offsets = [message.position.offset for message in messages]
        self.batches.append(offsets)
        self.at_work.append(self.words)
        if self.killers & set(offsets):
            raise DiesError
        return super()._process(messages)

    async def hand_over(self, outcome: Outcome) -> list[Slot]:
        return await super().hand_over(outcome) if outcome.slots else []

    async def acknowledged(self, slots: Sequence[Slot]) -> None:
        if slots:
            await super().acknowledged(slots)

    def _condemn(self, message: Message, failure: Failure, wholly: bool) -> Outcome:
        self.condemned.append((message.position.offset, failure.code, wholly))
        return Outcome([Slot(message)], [])


async def lives(count: int, killers: Iterable[int], most: int = 20) -> list[Watched]:
    """Run one process after the other until the topic is read; each takes over what the one before left."""
    made: list[Watched] = []
    words, committed = "", 0
    while committed < count:
        assert len(made) < most, "nobody is ever condemned"
        world = Watched(count, killers, words=words, committed=committed, by=f"p{len(made)}")
        made.append(world)
        task = asyncio.create_task(world.loop.run())
        await until(lambda: task.done() or world.committed == count)  # noqa: B023 - awaited here
        words, committed = world.words, world.committed
        if not task.done():
            await world.loop.stop()
        await asyncio.gather(task, world.loop.landed(), return_exceptions=True)
        world.executor.shutdown()
    return made


async def test_a_partition_is_marked_before_its_first_batch_and_no_more_once_that_is_committed() -> None:
    world = Watched(12)
    async with running(world):
        await until(lambda: world.committed == 12)
    first = decode_entry(world.at_work[0])
    assert first is not None
    assert (first.by, first.until) == ("me", None)
    assert world.words == ""
    assert [event for event in world.events if event.startswith("mark")] == ["mark 0"]
    assert world.batches == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]


@pytest.mark.parametrize("killers", [{0}, {5}, {11}, {3, 4}, {1, 9}], ids=str)
async def test_a_record_that_ends_its_process_is_named_three_times_and_not_tried_again(killers: set[int]) -> None:
    worlds = await lives(12, killers)
    assert [one for world in worlds for one in world.condemned] == [(at, "HR612", False) for at in sorted(killers)]
    alone = [batch for world in worlds for batch in world.batches if batch[0] in killers and len(batch) == 1]
    assert sorted(alone) == sorted([[at] for at in killers for _ in range(3)])
    assert worlds[-1].words == ""


async def test_suspects_are_named_before_they_go_to_their_steps_and_committed_one_by_one() -> None:
    world = Watched(12, words='{"headrace":1,"by":"another"}', committed=2, every_ms=60_000)
    async with running(world):
        await until(lambda: len(world.batches) == 9)
    assert world.batches[:8] == [[at] for at in range(2, 10)], "as many as two batches of the other one can have had"
    named = [decode_entry(words) for words in world.at_work[:8]]
    assert [(one.until, one.at) for one in named if one is not None] == [(10, 0)] * 8
    commits = [event for event in world.events if event.startswith("commit")]
    assert commits[:8] == [f"commit {at}" for at in range(3, 11)]
    assert world.batches[8:] == [[10, 11]]


async def test_other_partitions_wait_while_there_are_suspects() -> None:
    world = Watched(4)
    world.assignment = lambda: {TP, OTHER}  # type: ignore[method-assign]
    world.journal.begin({TP: Found(0, '{"headrace":1,"by":"another"}', 4), OTHER: Found(0, "", 4)})
    assert heed_pause(world, world.settings) == (False, True)
    assert world.held == {OTHER}
    world.journal.committed({TP: 4})
    assert heed_pause(world, world.settings) == (False, False)
    assert world.held == set()
    world.executor.shutdown()


async def test_no_suspect_runs_beside_a_batch_of_another_stage() -> None:
    world = Watched(4, words='{"headrace":1,"by":"another"}')
    world.suspects.alone.join()
    async with running(world):
        await until(lambda: not world.suspects.alone.is_free)
        await asyncio.sleep(0.02)
        assert world.batches == []
        world.suspects.alone.leave()
        await until(lambda: world.committed == 4)


async def test_no_batch_begins_beside_a_suspect_of_another_stage() -> None:
    world = Watched(4)
    done = asyncio.Event()

    async def other() -> None:
        async with world.suspects.alone.claimed():
            await done.wait()

    task = asyncio.create_task(other())
    await asyncio.sleep(0)
    async with running(world):
        await asyncio.sleep(0.02)
        assert (world.batches, world.words) == ([], ""), "its partition is not even marked"
        done.set()
        await until(lambda: world.committed == 4)
    await task


async def test_an_error_of_the_broker_is_nobody_s_death() -> None:
    world = Watched(4, words='{"headrace":1,"by":"another","until":3,"at":0,"deaths":{"0":1}}')
    world.faults = [KafkaConnectionError() for _ in range(5)]
    async with running(world):
        await until(lambda: world.committed == 4)
    assert world.condemned == []
    assert world.batches[:6] == [[0]] * 6


async def test_a_mark_that_is_not_written_keeps_the_batch_from_its_steps() -> None:
    world = Watched(4)
    world.mark_faults = [KafkaConnectionError()]
    async with running(world):
        await until(lambda: world.committed == 4)
    assert world.batches == [[0, 1, 2, 3]]
    assert "mark 0" in world.events


async def test_whoever_is_told_to_end_takes_his_mark_away_before_the_batch_has_ended() -> None:
    world = Watched(4)
    world.gate.clear()
    async with running(world):
        await until(lambda: world.said is not None and bool(world.batches))
        ending = asyncio.create_task(world.loop.stop())
        await until(lambda: world.words == "")
        world.gate.set()
        await ending
    assert world.committed == 4


async def test_a_suspect_that_holds_up_its_partition_is_no_longer_alone_and_others_go_on() -> None:
    world = Watched(4, words='{"headrace":1,"by":"another"}')
    process = world._process
    held = [held_at(1)]

    def once(messages: Sequence[Message]) -> Outcome:
        if held and messages[0].position.offset == 1:
            return Outcome([], [], [held.pop()])
        return process(messages)

    world.loop._process = once
    async with running(world):
        await until(lambda: bool(world.settings.holding.waiting()))
        assert world.suspects.among([TP, OTHER], world.settings.holding.waiting()) == set()
        await until(lambda: world.committed == 4)
    assert world.condemned == []


def test_a_loop_without_a_journal_has_no_suspects() -> None:
    assert isinstance(World(1).loop, RecordLoop)
    assert Suspects().among([TP], []) == set()
