"""Which dead letters a command is about."""

from __future__ import annotations

from dataclasses import dataclass

from headrace.streams.dlq.letter import Letter

__all__ = ["Filter"]


@dataclass(frozen=True)
class Filter:
    """Selects letters; what is left empty selects all of them.

    Attributes:
        reasons: error codes, classes or names of errors, in any case.
        plugins: steps that failed.
        stages: stages that they failed in.
        ids: ids of records.
        places: PARTITION:OFFSET in the dead letter topic.
        since_ms: not those that were written before, epoch milliseconds.
        until_ms: only those that were written before.
        is_waiting: not those that were redriven already.
    """

    reasons: frozenset[str] = frozenset()
    plugins: frozenset[str] = frozenset()
    stages: frozenset[str] = frozenset()
    ids: frozenset[str] = frozenset()
    places: frozenset[str] = frozenset()
    since_ms: float | None = None
    until_ms: float | None = None
    is_waiting: bool = False

    def selects(self, letter: Letter) -> bool:
        """Whether the letter is one of them."""
        said = letter.reasons
        own = {str(said[name]).casefold() for name in ("code", "class", "error")}
        return (
            (not self.reasons or not own.isdisjoint(self.reasons))
            and (not self.plugins or said["plugin"] in self.plugins)
            and (not self.stages or said["stage"] in self.stages)
            and (not self.ids or said["id"] in self.ids)
            and (not self.places or letter.place in self.places)
            and (self.since_ms is None or letter.died_ms >= self.since_ms)
            and (self.until_ms is None or letter.died_ms < self.until_ms)
            and not (self.is_waiting and letter.is_redriven)
        )
