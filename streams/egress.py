"""The egress stage: records get their result bodies, and each output gets the results it selects."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from headrace.core.config.expression import Expression
from headrace.core.errors import StepContractError
from headrace.core.plan.plan import OutputPlan
from headrace.core.record import Outgoing
from headrace.core.step import Plain, Result, Sink
from headrace.core.wire.dead import Failure
from headrace.streams.bisect import Retries, Trap, as_failure, isolate, owed
from headrace.streams.ends import Ends
from headrace.streams.slot import Slot

__all__ = ["STAGE", "Deliver"]

STAGE = "egress"
_UNFINISHED = ("filtered", "expired")
_BYTES = (bytes, type(None))  # a union would be made anew for every header


class Deliver:
    """Hands one output the results that its `when` selects, and takes the messages it wants sent.

    Args:
        output: which one.
        sink: its step.
        retries: how often a failing result is tried again.
        others: the names of all outputs; what is redriven for another one of them is not for this one.
    """

    def __init__(self, output: OutputPlan, sink: Sink, retries: Retries, others: Collection[str] = ()) -> None:
        self._output, self._sink, self._retries = output, sink, retries
        self._others = frozenset(others) - {output.name}
        self._plain: Plain | None = getattr(sink, "plain", None)

    def run(self, ends: Ends) -> None:
        """Add to each slot what this output sends for it, or why it cannot."""
        chosen = self._chosen(ends)
        if not chosen:
            return
        with Trap() as trap:
            self._add(chosen, self._messages(chosen, ends))
        if trap.error is not None:
            self._escape(chosen, self._results(chosen, ends), trap.error)

    def _chosen(self, ends: Ends) -> list[Slot]:
        others, takes = self._others, self._output.takes_unfinished
        due = [
            slot
            for slot in ends.slots
            if (record := slot.record) is not None
            and record.only_output not in others
            and (takes or record.status not in _UNFINISHED)
        ]
        when = self._output.when
        if when is None:
            return due
        bodies = ends.bodies
        return [slot for slot in due if self._selects(slot, when, bodies[id(slot)])]

    def _messages(self, chosen: Sequence[Slot], ends: Ends) -> Sequence[Outgoing]:
        if self._plain is not None:
            with Trap():  # the sink itself says what is wrong
                return ends.messages(chosen, self._plain)
        results = self._results(chosen, ends)
        return self._checked(self._sink.outgoing(results), len(results))

    def _results(self, chosen: Sequence[Slot], ends: Ends) -> list[Result]:
        bodies = ends.bodies
        return [Result(slot.record, bodies[id(slot)]) for slot in chosen if slot.record is not None]

    def _add(self, chosen: Sequence[Slot], messages: Sequence[Outgoing]) -> None:
        name = self._output.name
        for slot, message in zip(chosen, messages, strict=True):
            slot.outgoing.append((name, message))

    def _selects(self, slot: Slot, when: Expression, body: dict[str, Any]) -> bool:
        with Trap() as trap:
            return when.holds(body)
        if trap.error is not None:
            slot.dead = (*slot.dead, self._failure(trap.error))
        return False

    def _checked(self, messages: Sequence[Any], count: int) -> Sequence[Outgoing]:
        for message in owed(messages, count):
            if not isinstance(message, Outgoing):
                raise StepContractError(f"the sink returned {type(message).__name__}", mend="return Outgoing messages")
            fault = _fault(message, self._output.topics)
            if fault:
                raise StepContractError(f"the sink's message has {fault}", mend="see the fields of Outgoing")
        return messages

    def _ask(self, results: list[Result]) -> Sequence[Outgoing]:
        return self._checked(self._sink.outgoing(results), len(results))

    def _escape(self, chosen: Sequence[Slot], results: list[Result], error: BaseException) -> None:
        outcomes = isolate(self._ask, list, results, error, self._retries)
        for slot, (outcome, attempts) in zip(chosen, outcomes, strict=True):
            if isinstance(outcome, BaseException):
                slot.dead = (*slot.dead, self._failure(outcome, attempts))
            else:
                slot.outgoing.append((self._output.name, outcome))

    def _failure(self, error: BaseException, attempts: int = 1) -> Failure:
        plugin = self._output.step.spec.name
        return as_failure(error, stage=STAGE, plugin=plugin, attempt=attempts, output=self._output.name)


def _fault(message: Outgoing, topics: Sequence[str]) -> str:
    """Return what the producer cannot send in a message; it would fail there half-written, and all of its batch."""
    if message.topic not in topics:
        return f"topic {message.topic!r}, which the sink did not name in topics()"
    if not isinstance(message.key, _BYTES) or not isinstance(message.value, _BYTES):
        return "a key or a value that is not bytes"
    for name, value in message.headers:
        if not isinstance(name, str) or not isinstance(value, _BYTES):
            return f"header {name!r}, which is not a name with bytes"
    return ""
