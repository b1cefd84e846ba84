"""What a plan promises of delivery and order, in sentences that `plan` prints."""

from __future__ import annotations

from headrace.core.config.pipeline import Delivery

__all__ = ["promises"]


def promises(delivery: Delivery) -> tuple[str, ...]:
    """Return the promises that hold for a pipeline in one process."""
    retried = f"after {delivery.retries} more attempts" if delivery.retries else "at once"
    return (
        "at least once: no record is lost; after a crash some results may come twice, with the same ce_id",
        "order: results of one partition leave in the order of its records, whichever models they took",
        f"a record that a step fails on becomes a dead letter {retried}; the others of its batch are delivered",
    )
