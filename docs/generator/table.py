"""Write a Markdown table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["code", "one_line", "table"]


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; bars inside cells are escaped."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def code(text: str) -> str:
    """Return the text as code."""
    return f"`{text}`"


def one_line(text: str) -> str:
    """Return the text with its line breaks as spaces."""
    return " ".join(text.split())


def _cell(text: str) -> str:
    return one_line(text).replace("|", r"\|")
