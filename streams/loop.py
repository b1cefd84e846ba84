"""The record loop: poll, decode, run, deliver, commit.

Up to two batches are in flight: while the steps of one run in the executor, the next is fetched and the previous one's
results are sent. What an error or a new assignment leaves unfinished is read again from the committed offsets.
How often a crash may make results come is decided by the delivery, not here.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from typing import Any

from headrace.core.errors import HeadraceError
from headrace.core.record import Message
from headrace.streams.batch_limit import BatchLimit
from headrace.streams.commit_timer import CommitTimer
from headrace.streams.delivery import Delivery, ReadAgainError
from headrace.streams.endurance import Endurance
from headrace.streams.filling import IDLE_POLL_MS, Filling
from headrace.streams.flight import Flight
from headrace.streams.flights import Flights
from headrace.streams.health import Health
from headrace.streams.hold import Held, HeldError
from headrace.streams.loop_settings import LoopSettings
from headrace.streams.meter import Meter
from headrace.streams.outcome import Outcome
from headrace.streams.passage import Passage
from headrace.streams.rest import heed_pause
from headrace.streams.room import Room
from headrace.streams.standing import Standing

__all__ = ["RecordLoop"]

log = logging.getLogger(__name__)

QUIET_POLL_MS = 200  # while there are none; a record ends the wait at once, so this costs no latency


class RecordLoop:
    """Reads one stage's input and acknowledges only what is done.

    Args:
        consumer: an aiokafka consumer, subscribed, without auto-commit.
        process: takes a batch through the steps; called in the executor.
        executor: has one thread, so that batches are processed in the order they were read.
        delivery: brings results, dead letters and offsets to the broker.
        resume: seeks the assigned partitions to where reading begins; told whether they are the same as before, with
            all that was delivered since then committed.
        limit: how many records a batch may have.
        health: told whether the loop gets through to the broker.
        meter: told what is in flight.
        settings: waits.
    """

    def __init__(
        self,
        *,
        consumer: Any,
        process: Callable[[Sequence[Message]], Outcome],
        executor: Executor,
        delivery: Delivery,
        resume: Callable[[bool], Awaitable[Mapping[Any, int]]],
        limit: BatchLimit,
        health: Health,
        meter: Meter,
        settings: LoopSettings,
    ) -> None:
        self._consumer, self._process, self._executor = consumer, process, executor
        self._delivery, self._resume = delivery, resume
        self._limit, self._health, self._meter, self._settings = limit, health, meter, settings
        self._suspects, self._standing = settings.suspects, Standing()
        self._endurance = Endurance(settings.first_backoff_s, settings.last_backoff_s)
        self._flights = Flights(lambda records: meter.in_flight(settings.stage, records))
        self._filling = Filling(
            consumer,
            settings,
            room=Room(limit),
            flights=self._flights,
            standing=self._standing,
        )
        self._timer = CommitTimer(delivery, self._commit)
        self._passage = Passage(consumer)
        self._lock = asyncio.Lock()
        self._open = asyncio.Event()
        self._open.set()
        self._commits = 0

    async def run(self) -> None:
        """Loop until `stop`. Kafka's errors are waited out; ours end the loop.

        Raises:
            HeadraceError: something that waiting cannot mend.
        """
        self._timer.start()
        try:
            while not self._standing.is_stopping:
                try:
                    await self._turn_or_hold()
                except HeadraceError:
                    raise
                except Exception as error:  # noqa: BLE001 - aiokafka raises of many kinds; all mean: read again
                    await self._recover(error)
        finally:
            async with self._lock:
                self._timer.stop()

    async def stop(self) -> bool:
        """Cease fetching, let every batch in flight end, and commit; whether all of them ended well."""
        self._standing.is_stopping = True
        await self._let_go()
        return await self._finish()

    async def landed(self) -> None:
        """Wait until every batch that is in flight now has ended, well or not; one that did not is read again."""
        await self._flights.landed()

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Launch no batch meanwhile; those in flight end first, and are committed, so that none of them is read again.

        Raises:
            KafkaError: the commit failed.
        """
        self._open.clear()
        try:
            if not await self._finish():
                self._standing.is_stale = True
            yield
        finally:
            self._open.set()

    async def revoked(self) -> None:
        """Partitions are about to be taken: let every batch in flight end and commit, while they are still ours."""
        self._standing.parted()
        await self._let_go()
        try:
            await self._finish()
        except Exception as error:  # noqa: BLE001 - as in run(): whoever comes next reads again
            log.warning("the last commit failed, those records will be read again: %s: %s", type(error).__name__, error)

    def assigned(self) -> None:
        """Partitions were given: before the next poll, take their positions."""
        self._standing.joined()

    async def _turn_or_hold(self) -> None:
        try:
            await self._turn()
        except HeldError as error:
            await self._hold(error.held)

    async def _turn(self) -> None:
        if self._standing.is_stale and not await self._refresh():
            return
        is_paused, alone = heed_pause(self._consumer, self._settings)
        await self._settings.pace.open()
        messages = await self._next_alone() if alone else await self._next(is_paused=is_paused)
        self._flights.raise_failed()
        self._timer.raise_failed()
        if not (messages or self._flights or self._standing.is_stale):
            self._delivery.note(await self._passage.passed())
            self._timer.noted()
        if self._delivery.commits != self._commits or self._endurance.is_past(is_quiet=not self._flights):
            self._commits = self._delivery.commits
            self._settled()
        if is_paused:
            self._health.reading(False, "paused", self._settings.stage)

    async def _next(self, *, is_paused: bool) -> Sequence[Message]:
        """Launch the next batch; return its messages."""
        messages, offsets = await self._filling.batch(self._patience_ms())
        if not messages and not is_paused and not self._standing.is_stale:
            messages, offsets = await self._ticked()
        # When stopping, what was just fetched is left to whoever comes next.
        if messages and not self._standing.is_stopping:
            await self._launch(await self._flight(messages, offsets))
        return messages

    async def _next_alone(self) -> Sequence[Message]:
        """Take the next suspect message through, while nothing else is at work in this process, and commit it."""
        await self._open.wait()
        messages, offsets = await self._filling.one()
        if not messages and not self._standing.is_stale:
            messages, offsets = await self._ticked(most=1)
        if messages:
            async with self._suspects.alone.claimed():
                flight = await self._flight(messages, offsets, is_alone=True)
                if self._standing.is_going and self._open.is_set():
                    self._flights.launch(flight, self._fly)
                    await flight.landed()
                    await self._commit()
                else:
                    self._standing.is_stale = True  # it was fetched and not run
        if not self._standing.is_stale:
            await self._suspects.look(self._consumer.position)
        return messages

    async def _flight(self, messages: list[Message], offsets: Mapping[Any, int], *, is_alone: bool = False) -> Flight:
        flight = Flight(messages, await self._passage.took(offsets), is_alone=is_alone)
        if (weigh := self._settings.weigh) is not None:
            flight.weight = sum(map(weigh, flight.messages))
        return flight

    async def _ticked(self, most: int | None = None) -> tuple[list[Message], dict[Any, int]]:
        """Return messages that only tell the time, but for partitions that wait; of so many partitions at most."""
        if self._settings.ticks is None:
            return [], {}
        messages, offsets = await self._settings.ticks()
        still = {(tp.topic, tp.partition) for tp in self._consumer.paused()} | self._settings.holding.waiting().keys()
        messages = [one for one in messages if (one.position.topic, one.position.partition) not in still][:most]
        told = {(one.position.topic, one.position.partition) for one in messages}
        return messages, {tp: at for tp, at in offsets.items() if (tp.topic, tp.partition) in told}

    async def _refresh(self) -> bool:
        """Take the positions of a new assignment; False while nothing is assigned."""
        async with self._lock:
            # Until the group has agreed what was taken still looks assigned.
            if self._standing.is_parted or not self._consumer.assignment():
                self._health.reading(False, "waiting for partitions", self._settings.stage)
                self._consumer.stay()
                await asyncio.sleep(IDLE_POLL_MS / 1000)
                return False
            is_intact, self._standing.is_intact = self._standing.is_intact and not self._flights, True
            await self._flights.abandon()
            self._standing.is_stale = False
            partitions = self._consumer.assignment()
            await self._delivery.renew(partitions)
            chosen = await self._resume(is_intact)
            if not self._standing.is_stale:
                await self._passage.begin(partitions)
            if chosen and not self._standing.is_stale:
                self._delivery.note(chosen)
                await self._delivery.commit()
        return not self._standing.is_stale

    def _patience_ms(self) -> float:
        """Return how long to wait for a first record: long when there is nothing else to see to."""
        is_quiet = not self._flights and self._endurance.is_well
        return QUIET_POLL_MS if is_quiet else IDLE_POLL_MS

    async def _launch(self, flight: Flight) -> None:
        while await self._cleared():
            await self._suspects.start(flight)
            if self._open.is_set() and self._standing.is_going:  # it may have taken a while
                self._flights.launch(flight, self._fly)
                if flight.task is not None:
                    flight.task.add_done_callback(lambda task: self._suspects.ended())
                return
            self._suspects.ended()

    async def _cleared(self) -> bool:
        """Wait until a batch may be launched; False when it is not to be any more."""
        while not self._standing.is_stale and (self._has_to_wait or self._flights.is_full):
            if self._has_to_wait:
                await self._open.wait()
                await self._suspects.alone.freed()
                continue
            await self._flights.first.landed()
            self._flights.raise_failed()
        return self._standing.is_going

    @property
    def _has_to_wait(self) -> bool:
        return not (self._open.is_set() and self._suspects.alone.is_free)

    async def _fly(self, flight: Flight, previous: Flight | None) -> None:
        begun = time.monotonic()
        try:
            if flight.is_alone:
                outcome = await self._suspects.outcome(flight, self._in_thread, self._process)
            else:
                outcome = await self._in_thread(self._process, flight.messages)
                self._limit.learn(len(outcome.slots), time.monotonic() - begun)
        finally:
            flight.stepped.set()
        if outcome.held:
            flight.cut(outcome.held)
        if previous is not None and previous.held:  # what comes after it is read again
            raise HeldError(previous.held)
        self._suspects.through(flight)
        await self._delivery.deliver(outcome, flight, previous)
        self._timer.noted()
        self._settings.on_delivered(outcome)
        self._settings.holding.passed(flight.through)
        if flight.held:
            raise HeldError(flight.held)

    async def _in_thread(self, call: Callable[..., Outcome], *given: Any) -> Outcome:
        return await asyncio.get_running_loop().run_in_executor(self._executor, call, *given)

    async def _commit(self) -> None:
        async with self._lock:
            if not self._standing.is_stale:
                await self._delivery.commit()

    async def _let_go(self) -> None:
        """Let the journal say that whatever becomes of this process is no record's fault."""
        try:
            await self._suspects.let_go()
        except Exception as error:  # noqa: BLE001 - as in run(): whoever comes next takes care for nothing
            log.warning("the journal was not closed: %s: %s", type(error).__name__, error)

    async def _finish(self) -> bool:
        """Let every batch in flight end, and commit; whether all of them ended well.

        Raises:
            KafkaError: a commit failed, this one or the timer's before it.
        """
        async with self._lock:
            outcomes = await self._flights.landed()
            self._flights.clear()
            if any(isinstance(one, Exception) for one in outcomes):
                # Whoever asked for the end, and whatever becomes of the commit: it is read again.
                self._standing.is_stale = True
            failures = [one for one in outcomes if isinstance(one, Exception) and not isinstance(one, HeldError)]
            if failures:
                self._standing.is_intact = False
            try:
                await self._delivery.commit()  # a flight notes its offsets only after those before it: these are safe
                self._timer.raise_failed()  # what its commit was to take is noted no more, so this one did not take it
            except BaseException:
                self._standing.is_stale, self._standing.is_intact = True, False
                raise
        for failure in failures:
            log.warning("a batch did not end and will be read again: %s: %s", type(failure).__name__, failure)
        return not failures

    async def _hold(self, held: Sequence[Held]) -> None:
        """Commit what was done before these records, and let their partitions wait, or end the loop for good.

        Raises:
            HeadraceError: one of them stops the worker.
            KafkaError: a commit failed, this one or one before it.
        """
        await self._finish()
        for one in held:
            if one.is_final:
                raise self._settings.on_final(one)
        self._settings.holding.note(held)
        self._standing.is_stale = True

    async def _recover(self, error: Exception) -> None:
        self._endurance.failed()
        if (denied := self._settings.denied(error)) is not None:
            raise denied from error
        self._endurance.refuse_endless(error)
        self._health.reading(False, f"{type(error).__name__}: {error}", self._settings.stage)
        log.warning("reading again from the committed offsets after %s: %s", type(error).__name__, error)
        async with self._lock:
            await self._flights.abandon()
        self._timer.forget()
        self._standing.failed()
        if isinstance(error, ReadAgainError):
            return
        await self._endurance.pause()

    def _settled(self) -> None:
        self._endurance.settled()
        self._health.reading(True, stage=self._settings.stage)
