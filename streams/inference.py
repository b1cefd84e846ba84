"""The model stages: each record visits the models of its slip until one output is accepted."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from headrace.core.config.expression import Expression, compile_expression
from headrace.core.errors import ModelOutputError, StepContractError
from headrace.core.record import Record
from headrace.core.routing.chain import handed_on
from headrace.core.routing.slip import advance
from headrace.core.wire.json import encode
from headrace.streams.bisect import as_failure
from headrace.streams.leg import Leg
from headrace.streams.slot import Slot

__all__ = ["Infer", "run_models"]


class Infer(Leg):
    """Runs one model over the records whose slip names it next."""

    def select(self, slots: Sequence[Slot]) -> list[Slot]:
        """Return the live slots whose next model is this one."""
        return [slot for slot in super().select(slots) if _next_model(slot) == self.stage]

    def run(self, slots: Sequence[Slot]) -> int:
        """Run the model; each record that it served carries the time of its batch."""
        begun = time.perf_counter()
        served = self.select(slots)
        count = super().run(slots)
        took_ms = (time.perf_counter() - begun) * 1000
        for slot in served:
            if slot.record is not None:
                slot.record = slot.record.replace(inference_ms=slot.record.inference_ms + took_ms)
        return count

    def changed(self, record: Record, answer: Any) -> Record:
        """Return the record with the output, its slip moved on.

        Raises:
            ModelOutputError: HR605, the output is no JSON object.
            ChainTextError: HR518, it has no text where the next model of a chain reads.
        """
        if not isinstance(answer, Mapping):
            raise ModelOutputError(f"the model returned {type(answer).__name__}, not an object", mend="return a dict")
        _refuse_unwritable(answer)
        if record.slip is None:
            return record
        return handed_on(record, answer, advance(record.slip, answer, _accepts))


def run_models(legs: Mapping[str, Infer], slots: Sequence[Slot], meter: Callable[[str, int, float], None]) -> None:
    """Run models until no slip names another one; each round is one step further along every slip."""
    while True:
        due = {name for slot in slots if (name := _next_model(slot)) is not None}
        if not due:
            return
        _refuse_strangers(due - legs.keys(), slots)
        for name in [name for name in legs if name in due]:
            begun = time.perf_counter()
            count = legs[name].run(slots)
            meter(name, count, time.perf_counter() - begun)


def _refuse_strangers(names: set[str], slots: Sequence[Slot]) -> None:
    """End the records whose router chose a model that the pipeline does not have."""
    for slot in slots:
        name = _next_model(slot)
        if name in names:
            error = StepContractError(f"the router chose model {name!r}", mend="choose one of the pipeline's models")
            slot.fail(as_failure(error, stage="ingress", plugin=_policy(slot)))


def _next_model(slot: Slot) -> str | None:
    record = slot.record
    if record is None or not record.is_live or record.slip is None:
        return None
    candidate = record.slip.next
    return candidate.model if candidate else None


def _policy(slot: Slot) -> str:
    record = slot.record
    return record.slip.policy if record is not None and record.slip is not None else ""


def _refuse_unwritable(output: Mapping[str, Any]) -> None:
    """Find out at the model, not at the sink, whose fault it is that a result cannot be written; 1 us an output."""
    try:
        encode(output)
    except (TypeError, ValueError, RecursionError) as error:
        raise ModelOutputError(
            f"the model's output is not plain JSON: {error}", mend="return str, int, float, bool, None, lists and dicts"
        ) from None


def _accepts(rule: str, output: Mapping[str, Any]) -> bool:
    return _compiled(rule).holds({"output": output})


@lru_cache(maxsize=256)
def _compiled(rule: str) -> Expression:
    return compile_expression(rule, None, ("output",))
