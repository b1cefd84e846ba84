"""How many records a batch may have, so that it always ends well before a rebalance would give it away."""

from __future__ import annotations

__all__ = ["BatchLimit"]


class BatchLimit:
    """Shrinks when a batch took too long, grows back while batches are quick.

    Args:
        most: the limit that the pipeline file sets.
        budget_s: seconds that a batch should stay under.
    """

    def __init__(self, most: int, budget_s: float) -> None:
        self._most, self._budget_s = most, budget_s
        self.records = most

    def learn(self, records: int, seconds: float) -> None:
        """Take the time of a batch into account."""
        if records and seconds > self._budget_s:
            self.records = max(1, min(self._most, int(records * self._budget_s / seconds / 2)))
        elif seconds < self._budget_s / 4:
            self.records = min(self._most, self.records * 2)
