"""Lines of a file or pipe as they come: a live pipe's line is there when it was written, not when a buffer is full."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

__all__ = ["Lines"]


class Lines(Iterator[bytes]):
    """Lines without their ends, which are LF or CR LF, otherwise byte for byte; the last one needs no end.

    Attributes:
        number: the line that was given last, counted from 1.
        read_bytes: how much of the source has been read.
    """

    def __init__(self, read: Callable[[], bytes]) -> None:
        """Read from a source.

        Args:
            read: returns what there is, at least one byte, waiting if need be; nothing at the end.
        """
        self._read = read
        self._ready: deque[bytes] = deque()
        self._begun: list[bytes] = []
        self._is_over = False
        self.number = 0
        self.read_bytes = 0

    @property
    def is_waiting(self) -> bool:
        """Whether the next line, or the end, has yet to be read."""
        return not self._ready

    def __next__(self) -> bytes:
        while not self._ready:
            if self._is_over:
                raise StopIteration
            self._fill()
        self.number += 1
        return self._ready.popleft()

    def _fill(self) -> None:
        chunk = self._read()
        self.read_bytes += len(chunk)
        *whole, rest = chunk.split(b"\n")
        if whole:
            whole[0] = b"".join((*self._begun, whole[0]))
            self._begun.clear()
        self._ready.extend(line.removesuffix(b"\r") for line in whole)
        if rest:
            self._begun.append(rest)
        if not chunk:
            self._is_over = True
            if self._begun:
                self._ready.append(b"".join(self._begun).removesuffix(b"\r"))
