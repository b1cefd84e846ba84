"""An order of models: the option that several routers share, and a router whose records all go the same way."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator

from headrace import Batch, Decision, StepContext

__all__ = ["OneWay", "Order", "check_each"]


def _without_repeats(order: tuple[str, ...]) -> tuple[str, ...]:
    for model in order:
        if order.count(model) > 1:
            raise ValueError(f"{model!r} is there twice; name each model once")
    return order


Order = Annotated[tuple[str, ...], AfterValidator(_without_repeats)]
"""Names of models in the order in which they run, each once."""


def check_each(given: Any, check: Callable[[Any, str], None]) -> None:
    """Check what stands for all models, or each of a mapping's by itself, with the words that say whose it is.

    For validators that run before pydantic, whose union would report one wrong value once for each kind that it is not.
    """
    for model, one in given.items() if isinstance(given, Mapping) else [("", given)]:
        check(one, f" for {model}" if model else "")


class OneWay:
    """A router with one frozen decision for all records: routing costs nothing."""

    def __init__(self, decision: Decision) -> None:
        self._decision = decision
        self._order = tuple(each.model for each in decision.steps)

    def route(self, batch: Batch) -> Sequence[Decision]:
        """Return the same decision for each record."""
        return [self._decision] * len(batch)

    def models(self, context: StepContext) -> Sequence[str]:
        """Return the models in order."""
        return self._order

    def orders(self, context: StepContext) -> Sequence[Sequence[str]]:
        """Return the one order; a record may end before its last model, never take another way."""
        return (self._order,)
