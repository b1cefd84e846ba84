"""Takes suspects through the steps one at a time, each named in the journal first, and condemns who died too often.

Batches of other records begin and end here: their partitions are marked, and none of them runs beside a suspect.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from headrace.core.failure import Failure
from headrace.core.record import Message, Position
from headrace.core.wire.errors import ProcessKilledError
from headrace.core.wire.frame import split_frame
from headrace.streams.alone import Alone
from headrace.streams.bisect import as_failure
from headrace.streams.delivery import no_marks
from headrace.streams.flight import Flight
from headrace.streams.journal import DEATHS, Journal
from headrace.streams.outcome import Condemn, Outcome

__all__ = ["Suspects", "condemned"]

log = logging.getLogger(__name__)

TURNS = "whose turn has come"
"""Names records together that a restart lets leave; nobody knows beforehand which these are."""


@dataclass
class Suspects:
    """Those of one stage.

    Attributes:
        journal: knows them.
        write: writes what the journal says of partitions to their committed offsets.
        condemn: makes a record that is not run any more a dead letter, or what the file wants instead.
        alone: keeps the other stages of the process out.
        stage: its name.
        is_link: whether its messages are frames.
        due: which record of a partition ends first because its join is over by a time, epoch milliseconds.
        due_ms: by partition, when the next join is over.
    """

    journal: Journal = field(default_factory=Journal)
    write: Callable[[Iterable[Any]], Awaitable[None]] = no_marks
    condemn: Condemn | None = None
    alone: Alone = field(default_factory=Alone)
    stage: str = ""
    is_link: bool = False
    due: Callable[[int, float], Position | None] = lambda partition, now_ms: None
    due_ms: Callable[[], Mapping[int, float]] = dict

    def among(self, assigned: Collection[Any], waiting: Collection[tuple[str, int]]) -> set[Any]:
        """Return the assigned partitions whose next record is to be taken alone, while there are any."""
        return self.journal.suspects(waiting) & set(assigned)

    async def start(self, flight: Flight) -> None:
        """Begin a batch: mark its partitions, and keep suspects out until `ended`.

        Raises:
            KafkaError: the marks could not be written.
        """
        self.alone.join()
        try:
            fresh = {*self.journal.start(_firsts(flight)), *self.journal.start_ticks(_ticks(flight))}
            if fresh:
                await self.write(fresh)
        except BaseException:
            self.alone.leave()
            raise

    def ended(self) -> None:
        """A batch is over, well or not."""
        self.alone.leave()

    def through(self, flight: Flight) -> None:
        """Take note that a batch has survived its steps: the commit that brings it says so already."""
        held = {one.tp for one in flight.held}
        for tp in flight.offsets if flight.is_alone else _ticks(flight):
            if (tp.topic, tp.partition) not in held:
                self.journal.survived(tp)

    async def outcome(
        self, flight: Flight, run: Callable[..., Awaitable[Outcome]], process: Callable[..., Outcome]
    ) -> Outcome:
        """Return what becomes of the records of the flight's one message.

        Args:
            flight: brings the message.
            run: runs a function in the thread of the steps.
            process: takes messages through the steps.

        Raises:
            KafkaError: a suspect could not be named.
        """
        (message,), (tp,) = flight.messages, flight.offsets
        whole = Outcome([], [])
        async for one in self._outcomes(tp, message, run, process):
            if one.held:  # nothing of a message that holds up its partition is done
                return Outcome([], [], one.held)
            whole.slots.extend(one.slots)
            whole.shipments.extend(one.shipments)
        return whole

    async def _outcomes(
        self, tp: Any, message: Message, run: Callable[..., Awaitable[Outcome]], process: Callable[..., Outcome]
    ) -> AsyncIterator[Outcome]:
        """Yield what becomes of each record: of those first whose join is over by the time of the message."""
        is_tick, now_ms = message.position.offset < 0, message.timestamp_ms
        while (source := self.due(tp.partition, now_ms)) is not None:
            if self.journal.suspect_timed(tp, str(source)):
                await self.write([tp])
            tick = Message(Position(tp.topic, tp.partition, -1), b"one", None, (), now_ms)
            yield await self._one(f"record {source}", tick, self.journal.timed_deaths(tp, str(source)), run, process)
            if is_tick:  # what it came to is committed before the next one's turn
                return
        if is_tick:  # nobody's join is over: it lets those leave whose turn has come, together
            if self.journal.suspect_timed(tp, TURNS):
                await self.write([tp])
            yield await self._one(TURNS, message, self.journal.timed_deaths(tp, TURNS), run, process)
            return
        for at, part in enumerate(self._parts(message)):
            if self.journal.suspect(tp, message.position.offset, at):
                await self.write([tp])
            yield await self._one(f"{message.position}:{at}", part, self.journal.deaths(tp, at), run, process)

    async def _one(
        self,
        name: str,
        message: Message,
        deaths: int,
        run: Callable[..., Awaitable[Outcome]],
        process: Callable[..., Outcome],
    ) -> Outcome:
        """Run a record, or let it fail when its process died of it too often."""
        if deaths < DEATHS or self.condemn is None:
            return await run(process, [message])
        log.warning("%s: %s is not tried again, its process died %d times", self.stage, name, deaths)
        return await run(self.condemn, message, condemned(self.stage, deaths), deaths > DEATHS)

    async def let_go(self) -> None:
        """Name nobody any more: whatever ends this process from now on, it was about to end or to lose its partitions.

        Raises:
            KafkaError: it could not be written; who comes next takes care for nothing.
        """
        told = self.journal.let_go()
        if told:
            await self.write(told)

    async def look(self, position: Callable[[Any], Awaitable[int]]) -> None:
        """Close the windows that were read to their end, also where what lay there is no record."""
        for tp in self.journal.suspects():
            self.journal.passed(tp, await position(tp), self.due_ms().get(tp.partition))

    def _parts(self, message: Message) -> Sequence[Message]:
        if not self.is_link:
            return [message]
        return [msgspec.structs.replace(message, value=value) for value in split_frame(message.value)]


def condemned(stage: str, deaths: int) -> Failure:
    """Return what a record fails with that is not tried again."""
    error = ProcessKilledError(
        f"the process died {deaths} times while this record alone was at its steps",
        mend="the logs of worker and machine say how; correct the step or give it more memory, then redrive it",
    )
    return as_failure(error, stage=stage, plugin="", attempt=deaths)


def _firsts(flight: Flight) -> Mapping[Any, int]:
    """Return the first offset of a batch in each of its partitions."""
    lowest: dict[tuple[str, int], int] = {}
    for message in flight.messages:
        at = message.position
        if at.offset >= 0:  # else it only tells the time
            lowest.setdefault((at.topic, at.partition), at.offset)
    return {tp: lowest[tp.topic, tp.partition] for tp in flight.offsets if (tp.topic, tp.partition) in lowest}


def _ticks(flight: Flight) -> Mapping[Any, int]:
    """Return the times that a batch tells of partitions without a message of theirs."""
    if not flight.messages or flight.messages[0].position.offset >= 0:  # a batch has either messages or times
        return {}
    told = {(at.topic, at.partition): one.timestamp_ms for one in flight.messages if (at := one.position).offset < 0}
    return {tp: told[tp.topic, tp.partition] for tp in flight.offsets if (tp.topic, tp.partition) in told}
