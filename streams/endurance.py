"""What a loop does about errors: Kafka's are waited out, with longer and longer pauses; others end it, if they stay."""

from __future__ import annotations

import asyncio
import time

from headrace.streams.errors import UnexpectedError

__all__ = ["MOST_SURPRISES", "Endurance"]

MOST_SURPRISES = 10


class Endurance:
    """Counts the errors of one loop.

    Args:
        first_s: how long it pauses after an error.
        last_s: the longest such pause.
    """

    def __init__(self, first_s: float, last_s: float) -> None:
        self._first_s, self._last_s = first_s, last_s
        self._pause_s = first_s
        self._surprises = 0
        self._failed_at: float | None = None

    @property
    def is_well(self) -> bool:
        """Whether there was no failure, or it is long past."""
        return self._failed_at is None

    def failed(self) -> None:
        """Note that something failed."""
        self._failed_at = time.monotonic()

    def refuse_endless(self, error: Exception) -> None:
        """Kafka's errors pass some day. Any other that comes again and again is a fault in the code: stop, loudly.

        Raises:
            UnexpectedError: HR999.
        """
        from aiokafka.errors import KafkaError

        self._surprises = 0 if isinstance(error, KafkaError) else self._surprises + 1
        if self._surprises > MOST_SURPRISES:
            raise UnexpectedError(
                f"the loop fails again and again: {type(error).__name__}: {error}", mend="report it with the log"
            ) from error

    async def pause(self) -> None:
        """Wait before the next try; twice as long each time."""
        await asyncio.sleep(self._pause_s)
        self._pause_s = min(self._last_s, self._pause_s * 2)

    def is_past(self, *, is_quiet: bool) -> bool:
        """Whether nothing speaks against going on as ever: no failure yet, or a quiet while since the last one.

        Reading again is no proof: the batch that failed will be read, and may fail, again.

        Args:
            is_quiet: whether nothing is in flight.
        """
        return self._failed_at is None or (is_quiet and time.monotonic() - self._failed_at > 2 * self._last_s)

    def settled(self) -> None:
        """Forget what failed: things go through."""
        self._failed_at = None
        self._surprises = 0
        self._pause_s = self._first_s
