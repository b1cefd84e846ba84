"""What a checker may find: one fault at one record."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["ALTERED", "DISORDERED", "DOUBLED", "KINDS", "LOST", "MISJUDGED", "UNASKED", "Finding"]

LOST = "lost"
DOUBLED = "doubled"
ALTERED = "altered"
MISJUDGED = "wrongly dead-lettered"
DISORDERED = "out of order"
UNASKED = "not asked for"
KINDS = (LOST, DOUBLED, ALTERED, MISJUDGED, DISORDERED, UNASKED)


class Finding(NamedTuple):
    """One fault: its kind, the id of the record, and what was seen; of a doubled record also its further copies."""

    kind: str
    id: str
    what: str
    copies: int = 1
