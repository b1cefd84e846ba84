"""A step, opened: bound to its options, loaded, and closed when its worker ends."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from headrace.core.errors import HeadraceError, StepOpenError
from headrace.core.plan.plan import StepPlan
from headrace.core.step import Opens, StepContext, Warms
from headrace.streams.bisect import Trap

__all__ = ["opened", "warm_up"]

log = logging.getLogger(__name__)


def opened(step: StepPlan, context: StepContext, closing: ExitStack) -> Any:
    """Return a step, opened; `closing` closes it."""
    bound = step.bind()
    if isinstance(bound, Opens):
        closing.callback(_close, step, bound)
        _name_failure(step, lambda: bound.open(context))
    return bound


def warm_up(name: str, step: Any) -> None:
    """Let a step get warm, if it does such a thing; it works without, so what it raises is logged and no more."""
    if not isinstance(step, Warms):
        return
    with Trap() as trap:
        step.warm_up()
    if trap.error is not None:
        log.warning("%s could not be warmed up and starts cold: %r", name, trap.error)


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
