"""Compare what a command printed with what a page shows; `...` stands for anything."""

from __future__ import annotations

import re

__all__ = ["agrees", "begins"]


def agrees(shown: str, printed: str) -> bool:
    """Whether a page shows what was printed; a line `...` stands for any lines or none, inside a line for any text."""
    return _pattern(shown).fullmatch(printed.rstrip("\n") + "\n") is not None


def begins(shown: str, printed: str) -> bool:
    """Whether what was printed so far begins with what the page shows."""
    return _pattern(shown).match(printed) is not None


def _pattern(shown: str) -> re.Pattern[str]:
    lines = shown.rstrip("\n").split("\n")
    return re.compile("".join(_line(line.rstrip()) for line in lines))


def _line(shown: str) -> str:
    if shown == "...":
        return r"(?:[^\n]*\n)*?"
    return "[^\n]*?".join(re.escape(part) for part in shown.split("...")) + r"[ ]*\n"
