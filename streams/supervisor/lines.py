"""Bytes as they come from a pipe, cut into lines; what never ends a line cannot fill the memory."""

from __future__ import annotations

__all__ = ["Lines"]

LONGEST = 1 << 18
"""A line of more bytes comes in pieces; a log line of Headrace has 1 KiB at most."""


class Lines:
    """Collects chunks and gives whole lines, without their ends.

    Args:
        longest: bytes of the longest line that is kept whole.
    """

    def __init__(self, longest: int = LONGEST) -> None:
        self._longest, self._rest = longest, b""

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the lines that are whole with this chunk."""
        *whole, rest = (self._rest + chunk).split(b"\n")
        lines = [piece for line in whole for piece in self._pieces(line.removesuffix(b"\r"))]
        *early, self._rest = self._pieces(rest)
        return lines + early

    def rest(self) -> list[bytes]:
        """Return what was written without an end of line; call it when no more comes."""
        rest, self._rest = self._rest, b""
        return [rest] if rest else []

    def _pieces(self, line: bytes) -> list[bytes]:
        """Cut a line that is too long; never inside a character, if it is UTF-8."""
        pieces = []
        while len(line) > self._longest:
            cut = self._longest
            while cut > self._longest - 3 and line[cut] & 0xC0 == 0x80:  # a byte that continues a character
                cut -= 1
            pieces.append(line[:cut])
            line = line[cut:]
        return [*pieces, line]
