"""What a plan promises of delivery and order, in sentences that `plan` prints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from headrace.core.config.pipeline import Delivery, Link
from headrace.core.plan.plan import JoinPlan

__all__ = ["promises"]

_ONCE = {
    "at_least_once": "at least once: no record is lost; after a crash some results may come twice, with the same ce_id",
    "exactly_once": (
        "exactly once: no record is lost and no result comes twice, for whoever reads with "
        "isolation.level=read_committed; others also see what was aborted"
    ),
}
_ONE_PROCESS = "order: results of one partition leave in the order of its records, whichever models they took"
_ASIDE = "; but those that wait aside to be tried again, which others overtake"
_KEY = "order: results of one key leave in the order of its records in their partition, whichever models they took"
_ENDS = {
    "dead_letter": "becomes a dead letter",
    "fallback": "gets the fallback as its result",
    "stop": "stops the worker",
}


def promises(delivery: Delivery, link: Link, *, is_linked: bool, joins: Sequence[JoinPlan] = ()) -> tuple[str, ...]:
    """Return the promises that hold; over several processes that of order is the file's choice."""
    retried = f"after {delivery.retries} more attempts" if delivery.retries else "at once"
    return (
        _ONCE[delivery.guarantee],
        (_order(link, delivery) if is_linked else _ONE_PROCESS) + (_ASIDE if delivery.slow == "retry_topic" else ""),
        f"a record that a step fails on {_ENDS[delivery.on_failure]} {retried}; {_others(delivery)}",
        *_joins(joins, delivery),
    )


def _others(delivery: Delivery) -> str:
    done = "those before it are delivered" if delivery.on_failure == "stop" else "the others of its batch are delivered"
    patience = f"{delivery.patience / 1000:g} s at most"
    if delivery.slow == "pause":
        return f"{done}; where its error may pass, its partition waits first, {patience}"
    if delivery.slow == "retry_topic":
        every = f"tried again every {delivery.retry_after / 1000:g} s"
        return f"{done}; where its error may pass, it waits aside first, {every}, {patience}, and others overtake it"
    return done


def _joins(joins: Sequence[JoinPlan], delivery: Delivery) -> Iterator[str]:
    if not joins:
        return
    end = _ENDS[delivery.on_failure]
    yield f"joins: a model that fails is left out of the answer; a record that none answers {end}"
    apart = [join for join in joins if join.is_apart]
    if apart:
        yield "joins: answers that wait for others outlive a crash, late ones are dropped; no crash changes a result"
    if any(join.deadline_ms is not None or join.needed < len(join.models) for join in apart):
        yield "joins: who answers in time depends on the models' speed; a result once made is not made anew"


def _order(link: Link, delivery: Delivery) -> str:
    if delivery.order == "key":
        return _KEY
    if link.balance == "least_lag":
        return "order: none between processes, since each record goes where the next stage is least behind"
    return (
        "order: records of one key that take the same path leave in their order; across paths one may overtake another"
    )
