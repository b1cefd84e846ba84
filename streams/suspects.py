"""Takes suspects through the steps one at a time, each named in the journal first, and condemns who died too often.

Batches of other records begin and end here: their partitions are marked, and none of them runs beside a suspect.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from headrace.core.failure import Failure
from headrace.core.record import Message
from headrace.core.wire.errors import ProcessKilledError
from headrace.core.wire.frame import split_frame
from headrace.streams.alone import Alone
from headrace.streams.bisect import as_failure
from headrace.streams.delivery import no_marks
from headrace.streams.flight import Flight
from headrace.streams.journal import DEATHS, Journal
from headrace.streams.pipe import Condemn, Outcome

__all__ = ["Suspects", "condemned"]

log = logging.getLogger(__name__)


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
    """

    journal: Journal = field(default_factory=Journal)
    write: Callable[[Iterable[Any]], Awaitable[None]] = no_marks
    condemn: Condemn | None = None
    alone: Alone = field(default_factory=Alone)
    stage: str = ""
    is_link: bool = False

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
            fresh = self.journal.start(_firsts(flight))
            if fresh:
                await self.write(fresh)
        except BaseException:
            self.alone.leave()
            raise

    def ended(self) -> None:
        """A batch is over, well or not."""
        self.alone.leave()

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
        for at, part in enumerate(self._parts(message)):
            if self.journal.suspect(tp, message.position.offset, at):
                await self.write([tp])
            deaths = self.journal.deaths(tp, at)
            if deaths >= DEATHS and self.condemn is not None:
                log.warning(
                    "%s: %s:%d is not tried again, its process died %d times", self.stage, message.position, at, deaths
                )
                one = await run(self.condemn, part, condemned(self.stage, deaths), deaths > DEATHS)
            else:
                one = await run(process, [part])
            if one.held:  # nothing of a message that holds up its partition is done
                return Outcome([], [], one.held)
            whole.slots.extend(one.slots)
            whole.shipments.extend(one.shipments)
        return whole

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
            self.journal.passed(tp, await position(tp))

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
