"""What an experiment is, and what it says of one record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from headrace.core.config.expression import Expression

__all__ = ["HELD_OUT", "HOLDOUT", "Assigned", "Experiment"]

HOLDOUT = "holdout"
"""The id under which a unit is said to be kept out of every experiment; no experiment may have it."""

HELD_OUT = "held-out"
"""The only variant of the holdout."""


class Assigned(msgspec.Struct, frozen=True):
    """The variant of one experiment that a record met: experiment, its phase, the variant's name."""

    id: str
    phase: int
    variant: str


@dataclass(frozen=True)
class Experiment:
    """An experiment as the plan has it: everything that decides who meets which variant.

    Attributes:
        id: its name in the file.
        variants: the names of its variants, in the order of the file.
        weights: the share of each variant among those enrolled; they sum to 1.
        seed: what the hash of a unit is salted with; its id unless the file says otherwise.
        coverage: share of the units that are enrolled, 0 to 1; changing it never moves a unit.
        layer: experiments of one layer exclude each other; None when it shares none.
        layer_range: the part of the layer's units that it may have, from and to, within 0 to 1.
        segment: whom it is about, a CEL expression over the record; None means everyone.
        phase: changed weights open a new one.
        sets: for each variant the keys of the file that it sets, such as `route` or `models.expert`.
        hash_version: GrowthBook's; 1 has only a thousand buckets, and mixes neighbours badly.
        keeps_out: whether its units are kept out of every other experiment: the holdout.
    """

    id: str
    variants: tuple[str, ...]
    weights: tuple[float, ...]
    seed: str
    coverage: float = 1.0
    layer: str | None = None
    layer_range: tuple[float, float] = (0.0, 1.0)
    segment: Expression | None = None
    phase: int = 1
    sets: tuple[tuple[str, ...], ...] = ()
    hash_version: Literal[1, 2] = 2
    keeps_out: bool = False
