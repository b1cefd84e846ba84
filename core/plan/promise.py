"""What a plan promises of delivery and order, in sentences that `plan` prints."""

from __future__ import annotations

from headrace.core.config.pipeline import Delivery, Link

__all__ = ["promises"]

_ONE_PROCESS = "order: results of one partition leave in the order of its records, whichever models they took"


def promises(delivery: Delivery, link: Link, *, is_linked: bool) -> tuple[str, ...]:
    """Return the promises that hold; over several processes only records of one path keep their order."""
    retried = f"after {delivery.retries} more attempts" if delivery.retries else "at once"
    return (
        "at least once: no record is lost; after a crash some results may come twice, with the same ce_id",
        _order(link) if is_linked else _ONE_PROCESS,
        f"a record that a step fails on becomes a dead letter {retried}; the others of its batch are delivered",
    )


def _order(link: Link) -> str:
    if link.balance == "least_lag":
        return "order: none between processes, since each record goes where the next stage is least behind"
    return (
        "order: records of one key that take the same path leave in their order; across paths one may overtake another"
    )
