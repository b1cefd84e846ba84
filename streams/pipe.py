"""All steps of a pipeline in one process: a batch of messages in, what is to be sent for each of them out."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from headrace.core.errors import HeadraceError, StepOpenError
from headrace.core.plan.plan import Plan, StepPlan
from headrace.core.record import Message
from headrace.core.step import Opens
from headrace.core.wire.result import ResultFacts, Spent, iso_time, result_body
from headrace.streams.bisect import Retries, Trap
from headrace.streams.egress import Deliver
from headrace.streams.inference import Infer, run_models
from headrace.streams.ingress import Change, Decode, Route
from headrace.streams.meter import Meter
from headrace.streams.slot import Slot

__all__ = ["Pipe", "open_pipe"]

log = logging.getLogger(__name__)


class Pipe:
    """The opened steps of a plan. Called by one executor thread; knows nothing of Kafka's offsets."""

    def __init__(
        self, plan: Plan, steps: Mapping[str, Any], retries: Retries, meter: Meter, closing: ExitStack
    ) -> None:
        self._meter, self._closing = meter, closing
        self._decode = Decode(steps["codec"], plan.input.codec.spec.name, plan.input.intake)
        self._preprocess = _changes("ingress", plan.preprocess, steps["preprocess"], retries)
        self._route = (
            Route("ingress", plan.route.spec.name, steps["route"].route, retries) if plan.route is not None else None
        )
        self._models = {
            name: Infer(name, model.step.spec.name, steps["models"][name].infer, retries)
            for name, model in plan.models.items()
        }
        self._postprocess = _changes("egress", plan.postprocess, steps["postprocess"], retries)
        self._deliver = [
            Deliver(output, sink, retries) for output, sink in zip(plan.outputs, steps["outputs"], strict=True)
        ]
        versions = {name: model.facts.version for name, model in plan.models.items()}
        self._facts = ResultFacts(plan.pipeline, plan.hash, versions)

    def process(self, messages: Sequence[Message]) -> list[Slot]:
        """Take a batch through every step; return its slots, in order, with what is to be sent for each."""
        begun_ms, begun = time.time() * 1000, time.perf_counter()
        slots = [Slot(message) for message in messages]
        self._decode.run(slots, begun_ms)
        for change in self._preprocess:
            change.run(slots)
        if self._route is not None:
            self._route.run(slots)
        routed = time.perf_counter()
        run_models(self._models, slots, self._meter.model)
        inferred = time.perf_counter()
        for change in self._postprocess:
            change.run(slots)
        ended = time.perf_counter()
        spent = Spent(
            begun_ms=begun_ms,
            ended_ms=begun_ms + (ended - begun) * 1000,
            preprocess_ms=(routed - begun) * 1000,
            postprocess_ms=(ended - inferred) * 1000,
        )
        self._finish(slots, spent)
        return slots

    def close(self) -> None:
        """Close every step that was opened, the last one first."""
        self._closing.close()

    def _finish(self, slots: Sequence[Slot], spent: Spent) -> None:
        now = iso_time(spent.ended_ms)
        bodies = [
            result_body(slot.record, self._facts, spent, now) if slot.record is not None else None for slot in slots
        ]
        for deliver in self._deliver:
            deliver.run(slots, bodies)
        self._meter.batch(slots, bodies)


def open_pipe(plan: Plan, *, threads: int, retries: Retries, meter: Meter) -> Pipe:
    """Make and open every step of a plan: models load, hashes are checked.

    Raises:
        StepOpenError: HR604, a step failed to load with an error that is not its own clear one.
        HeadraceError: a step's own error, with the place of the step in the file.
    """
    closing = ExitStack()

    def opened(step: StepPlan) -> Any:
        return _open(plan, step, threads, closing)

    try:
        steps = {
            "codec": opened(plan.input.codec),
            "preprocess": [opened(step) for step in plan.preprocess],
            "route": opened(plan.route) if plan.route is not None else None,
            "models": {name: opened(model.step) for name, model in plan.models.items()},
            "postprocess": [opened(step) for step in plan.postprocess],
            "outputs": [opened(output.step) for output in plan.outputs],
        }
    except BaseException:
        closing.close()
        raise
    return Pipe(plan, steps, retries, meter, closing)


def _open(plan: Plan, step: StepPlan, threads: int, closing: ExitStack) -> Any:
    bound = step.bind()
    if isinstance(bound, Opens):
        closing.callback(_close, step, bound)
        _name_failure(step, lambda: bound.open(plan.context(step.name, threads)))
    return bound


def _close(step: StepPlan, bound: Opens) -> None:
    with Trap() as trap:
        bound.close()
    if trap.error is not None:  # all records are done by now, and the other steps want to be closed too
        log.warning("%s %r could not be closed: %r", step.spec.kind, step.name, trap.error)


def _name_failure(step: StepPlan, action: Callable[[], None]) -> None:
    try:
        action()
    except HeadraceError as error:
        error.place = error.place or step.place
        raise
    except Exception as error:
        said = " ".join(str(error).split())
        fault = f"{step.spec.kind} {step.name!r} could not load: {type(error).__name__}: {said}"
        raise StepOpenError(fault, mend="correct its options, or update its plugin", place=step.place) from error


def _changes(stage: str, plans: Sequence[StepPlan], steps: Sequence[Any], retries: Retries) -> list[Change]:
    return [Change(stage, plan.spec.name, step, retries) for plan, step in zip(plans, steps, strict=True)]
