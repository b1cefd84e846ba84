"""The fire escape: find the records that a step fails on, try them again, and let the others pass.

A batch that fails is halved until each failing record stands alone: O(k log n) calls for k bad records among n.
"""

from __future__ import annotations

import random
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from headrace.core.errors import HeadraceError, RecordError, StepContractError
from headrace.core.wire.dead import Failure, failure_class
from headrace.core.wire.errors import SkippedError, StepFailedError
from headrace.streams.breaker import Quarantine
from headrace.streams.transient import is_transient, retry_after_s

__all__ = ["Retries", "Trap", "as_failure", "isolate", "owed", "skipped"]

Call = Callable[[Any], Sequence[Any]]


@dataclass(frozen=True)
class Retries:
    """How often and how patiently a failing record is tried again.

    Attributes:
        limit: further attempts after the first.
        backoff_s: seconds before the first of them; doubled each time, with jitter.
        budget_s: seconds that all attempts of one batch may take; past it the failing records give up, because a
            worker that does not answer a rebalance in time loses its partitions.
        sleep: waits; tests give their own.
        clock: monotonic seconds.
        quarantine: where steps go that keep failing.
        waits_for_transient: whether what may pass holds up its partition instead of counting against the step.
    """

    limit: int = 3
    backoff_s: float = 0.05
    budget_s: float = 15.0
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    quarantine: Quarantine = field(default_factory=Quarantine)
    waits_for_transient: bool = False


@dataclass
class _Trial:
    """An item under trial: its outcome so far and how many attempts it took."""

    item: Any
    outcome: Any
    attempts: int = 1


class Trap:
    """Catches whatever a stranger's code raises inside `with`, so that no step stands further from the loop.

    `error` is None when nothing was raised. Steps run in a thread of their own, which nobody cancels and which no
    Ctrl-C reaches: sys.exit(), a CancelledError or the panic of a Rust extension are the plugin's, like any error.
    """

    def __init__(self) -> None:
        self.error: BaseException | None = None

    def __enter__(self) -> Trap:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self.error = error
        return error is not None


def owed(answers: Sequence[Any], count: int) -> Sequence[Any]:
    """Hold a step to its contract.

    Raises:
        StepContractError: HR603, it did not return one item for each one given.
    """
    if not hasattr(answers, "__len__"):
        raise StepContractError(
            f"the step returned {type(answers).__name__}, not a sequence", mend="return one for each, in order"
        )
    if len(answers) != count:
        raise StepContractError(
            f"the step returned {len(answers)} items for {count}", mend="return one for each, in order"
        )
    return answers


def isolate(
    call: Call, wrap: Callable[[list[Any]], Any], items: Sequence[Any], error: BaseException, retries: Retries
) -> list[tuple[Any, int]]:
    """Return for each item its answer or the error it fails with, and the attempts this took.

    The failed batch and the search for the guilty ones are together the first attempt.

    Args:
        call: the step.
        wrap: makes what the step takes (a Batch) from a list of items.
        items: the records of the batch on which the step failed.
        error: what it failed with.
        retries: how often to try again what fails alone. A RecordError is never tried again: the record is wrong.
    """
    give_up = retries.clock() + retries.budget_s
    trials = [_Trial(item, error) for item in items]
    _divide(call, wrap, trials)
    for attempt in range(retries.limit):
        failing = [trial for trial in trials if _may_recover(trial.outcome)]
        pause = retries.backoff_s * 2**attempt * random.uniform(0.5, 1.5)
        pause = max([pause, *(retry_after_s(trial.outcome) for trial in failing)])
        if not failing or retries.clock() + pause > give_up:
            break
        retries.sleep(pause)
        for trial in failing:
            trial.attempts += 1
        _halve(call, wrap, failing)
    return [(trial.outcome, trial.attempts) for trial in trials]


def as_failure(error: BaseException, *, stage: str, plugin: str, attempt: int = 1, output: str = "") -> Failure:
    """Return the failure that a dead letter carries for this error."""
    code, message = _words(error, plugin)
    return Failure(
        code=code,
        error=type(error).__name__,
        kind=failure_class(error),
        message=message,
        stage=stage,
        plugin=plugin,
        attempt=attempt,
        output=output,
        # A record that is itself wrong needs no trace; a plugin's author does.
        stacktrace="" if isinstance(error, RecordError) else "".join(traceback.format_exception(error)),
        is_transient=is_transient(error),
    )


def skipped(stage: str) -> Failure:
    """Return what a record fails with that an operator lets a stage pass over."""
    error = SkippedError("it was skipped by `headrace skip`", mend="redrive it once it is mended")
    return as_failure(error, stage=stage, plugin="")


def _halve(call: Call, wrap: Callable[[list[Any]], Any], trials: list[_Trial]) -> None:
    outcome = _attempt(call, wrap, trials)
    if not isinstance(outcome, BaseException):
        for trial, answer in zip(trials, outcome, strict=True):
            trial.outcome = answer
    elif len(trials) == 1:
        trials[0].outcome = outcome
    else:
        _divide(call, wrap, trials)


def _divide(call: Call, wrap: Callable[[list[Any]], Any], trials: list[_Trial]) -> None:
    middle = len(trials) // 2
    if middle:
        _halve(call, wrap, trials[:middle])
        _halve(call, wrap, trials[middle:])


def _attempt(call: Call, wrap: Callable[[list[Any]], Any], trials: list[_Trial]) -> Any:
    with Trap() as trap:
        return owed(call(wrap([trial.item for trial in trials])), len(trials))
    return trap.error


def _may_recover(outcome: Any) -> bool:
    return isinstance(outcome, BaseException) and not isinstance(outcome, RecordError)


def _words(error: BaseException, plugin: str) -> tuple[str, str]:
    """Return code and message. A plugin's own error may lack both, or fail when asked for them."""
    if isinstance(error, HeadraceError) and error.code and hasattr(error, "mend"):
        return str(error.code), f"{error.fault}; {error.mend}" if error.mend else str(error.fault)
    with Trap() as trap:
        fault = " ".join(str(error).split())
    if trap.error is not None:
        fault = "(its message cannot be read)"
    said = f"step {plugin!r} raised {type(error).__name__}: {fault}"
    return StepFailedError.code, f"{said}; correct the plugin, or the record"
