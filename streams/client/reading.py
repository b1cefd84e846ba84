"""Read a file, pipe or terminal so that waiting for it can be ended from outside."""

from __future__ import annotations

import os
import select
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from headrace.streams.client.errors import SourceUnreadableError

__all__ = ["Reading", "reading"]

_BYTES = 1 << 16


class Reading:
    """An open source.

    Attributes:
        size_bytes: its size; None when nobody knows, as with a pipe.
    """

    def __init__(self, descriptor: int, size_bytes: int | None) -> None:
        self._descriptor, self.size_bytes = descriptor, size_bytes
        self._wake, self._waker = os.pipe()
        self._is_over = False

    def read(self) -> bytes:
        """Return what there is, waiting if need be; nothing at the end, or when it was stopped."""
        if self._is_over:
            return b""
        ready, _, _ = select.select([self._descriptor, self._wake], [], [])
        return b"" if self._wake in ready else os.read(self._descriptor, _BYTES)

    def stop(self) -> None:
        """End the source here, also for a read that waits in another thread."""
        self._is_over = True
        os.write(self._waker, b"\0")

    def close(self) -> None:
        """Give back what was opened beside the source itself."""
        os.close(self._wake)
        os.close(self._waker)


@contextmanager
def reading(source: str) -> Iterator[Reading]:
    """Open a path, or standard input for `-`.

    Raises:
        SourceUnreadableError: HR432.
    """
    descriptor = 0 if source == "-" else _opened(source)
    opened = Reading(descriptor, None if source == "-" else Path(source).stat().st_size or None)
    try:
        yield opened
    finally:
        opened.close()
        if descriptor:
            os.close(descriptor)


def _opened(source: str) -> int:
    try:
        descriptor = os.open(source, os.O_RDONLY)
        os.read(descriptor, 0)  # a folder opens, but does not read
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise SourceUnreadableError(f"cannot read {source!r}: {reason}", mend="check the path; - is stdin") from None
    return descriptor
