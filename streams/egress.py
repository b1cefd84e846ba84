"""The egress stage: records get their result bodies, and each output gets the results it selects."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from headrace.core.errors import StepContractError
from headrace.core.plan.plan import OutputPlan
from headrace.core.record import Outgoing
from headrace.core.step import Result, Sink
from headrace.core.wire.dead import Failure
from headrace.streams.bisect import Retries, Trap, as_failure, isolate, owed
from headrace.streams.slot import Slot

__all__ = ["STAGE", "Deliver"]

STAGE = "egress"
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

    def run(self, slots: Sequence[Slot], bodies: Sequence[dict[str, Any] | None]) -> None:
        """Add to each slot what this output sends for it, or why it cannot.

        Args:
            slots: the batch.
            bodies: the result of each slot; None where the record failed.
        """
        chosen = [
            (slot, Result(slot.record, body))
            for slot, body in zip(slots, bodies, strict=True)
            if body is not None
            and slot.record is not None
            and slot.record.only_output not in self._others
            and self._selects(slot, body)
        ]
        if not chosen:
            return
        results = [result for _, result in chosen]
        with Trap() as trap:
            messages = self._checked(self._sink.outgoing(results), len(results))
            for (slot, _), message in zip(chosen, messages, strict=True):
                slot.outgoing.append((self._output.name, message))
        if trap.error is not None:
            self._escape(chosen, trap.error)

    def _selects(self, slot: Slot, body: dict[str, Any]) -> bool:
        unfinished = body["status"] in ("filtered", "expired")
        if unfinished and not self._output.takes_unfinished:
            return False
        if self._output.when is None:
            return True
        with Trap() as trap:
            return self._output.when.holds(body)
        if trap.error is not None:
            slot.dead.append(self._failure(trap.error))
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

    def _escape(self, chosen: list[tuple[Slot, Result]], error: BaseException) -> None:
        outcomes = isolate(self._ask, list, [result for _, result in chosen], error, self._retries)
        for (slot, _), (outcome, attempts) in zip(chosen, outcomes, strict=True):
            if isinstance(outcome, BaseException):
                slot.dead.append(self._failure(outcome, attempts))
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
