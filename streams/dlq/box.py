"""The dead letters of a pipeline on its broker, with the marks of those that were redriven."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from headrace.core.plan.access import Rule
from headrace.core.plan.plan import Plan
from headrace.core.wire.mark import Mark, decode_mark, marks_topic
from headrace.streams.access.admin import admin
from headrace.streams.access.connection import Connection
from headrace.streams.access.preflight import refuse_denied
from headrace.streams.dlq.filter import Filter
from headrace.streams.dlq.letter import Letter
from headrace.streams.dlq.whole import Span, Whole, whole

__all__ = ["Box", "box"]


class Box:
    """The letters that are there now."""

    def __init__(self, dead: Whole, marks: Mapping[str, Mark]) -> None:
        self._dead, self.marks = dead, marks

    @property
    def topic(self) -> str:
        """The dead letter topic."""
        return self._dead.topic

    @property
    def spans(self) -> Mapping[int, Span]:
        """What each of its partitions holds; empty when there is no such topic."""
        return self._dead.spans

    async def letters(self, wanted: Filter, spans: Mapping[int, Span] | None = None) -> AsyncIterator[Letter]:
        """Yield the letters that are wanted, each partition in its order.

        Raises:
            BrokerUnreachableError: HR201, the broker stopped answering.
        """
        async for messages in self._dead.messages(spans):
            for message in messages:
                position = message.position
                letter = Letter(message, self.marks.get(f"{position.partition}:{position.offset}"))
                if wanted.selects(letter):
                    yield letter


@asynccontextmanager
async def box(connection: Connection, plan: Plan) -> AsyncIterator[Box]:
    """Give the dead letters of a pipeline.

    Raises:
        BrokerUnreachableError: HR201, nobody answers there.
        AccessDeniedError: HR243, they may not be read; else their topic would look as if it were not there.
    """
    async with admin(connection) as client:
        await refuse_denied(connection, client, (), (Rule("topic", plan.dead_topic, False, ("Read",)),))
    marks: dict[str, Mark] = {}
    async with whole(connection, marks_topic(plan.pipeline)) as topic:
        async for messages in topic.messages():
            for message in messages:
                place, mark = (message.key or b"").decode(errors="replace"), decode_mark(message.value)
                if mark is None:
                    marks.pop(place, None)
                else:
                    marks[place] = mark
    async with whole(connection, plan.dead_topic) as dead:
        yield Box(dead, marks)
