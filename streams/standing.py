"""Where a record loop stands with its group: whether what it holds and reads is still its own."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Standing"]


@dataclass(slots=True)
class Standing:
    """What those who bring partitions, take them or stop the loop leave behind for it to heed.

    Attributes:
        is_stale: whether positions are to be taken anew before anything else; what a poll returns meanwhile is dropped.
        is_intact: whether all that was delivered is committed, of the same partitions.
        is_parted: whether partitions were taken and the group has not agreed on new ones yet.
        is_stopping: whether nothing more is to be read.
    """

    is_stale: bool = True
    is_intact: bool = False
    is_parted: bool = False
    is_stopping: bool = False

    @property
    def is_going(self) -> bool:
        """Whether what was read is ours, and a batch may begin."""
        return not self.is_stale and not self.is_stopping

    def parted(self) -> None:
        """Note that partitions are being taken: someone else will read what a poll under way returns."""
        self.is_intact, self.is_stale, self.is_parted = False, True, True

    def joined(self) -> None:
        """Note that partitions were given: before the next poll their positions are to be taken."""
        self.is_stale, self.is_parted, self.is_intact = True, False, False

    def failed(self) -> None:
        """Note that what is not committed is read again."""
        self.is_stale, self.is_intact = True, False
