"""Steps that a variant may replace: each record goes through the base's, or through those of the variant it met."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from headrace.core.record import Record
from headrace.streams.leg import Leg
from headrace.streams.slot import Slot

__all__ = ["Branches", "Variant", "met"]

Variant = tuple[str, str]
"""An experiment and one of its variants."""


class Branches:
    """The base's legs, and the legs of each variant that has its own.

    Args:
        base: run by every record that met no such variant.
        variants: what some variants run instead.
        choose: which of `variants` a record runs; None means the base's.
    """

    def __init__(
        self,
        base: Sequence[Leg],
        variants: Mapping[Variant, Sequence[Leg]],
        choose: Callable[[Record], Variant | None] | None = None,
    ) -> None:
        self._base, self._variants = base, variants
        self._choose = choose or (lambda record: met(record, variants))

    @property
    def is_empty(self) -> bool:
        """Whether no record goes through anything."""
        return not self._base and not self._variants

    def run(self, slots: Sequence[Slot]) -> None:
        """Run every record through its legs."""
        if not self._variants:
            for leg in self._base:
                leg.run(slots)
            return
        parted: dict[Variant | None, list[Slot]] = {}
        for slot in slots:
            if slot.record is not None:
                parted.setdefault(self._choose(slot.record), []).append(slot)
        for chosen, own in parted.items():
            for leg in self._base if chosen is None else self._variants[chosen]:
                leg.run(own)


def met(record: Record, among: Mapping[Variant, object]) -> Variant | None:
    """Return the first of these variants that the record met; layers see to it that there is at most one."""
    return next(
        (key for assigned in record.experiments if (key := (assigned.id, assigned.variant)) in among),
        None,
    )
