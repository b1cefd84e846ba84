"""Did you mean: the nearest known name, or the list of what is known."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["suggest"]

_LISTED = 12


def suggest(word: str, known: Iterable[str], noun: str = "known") -> str:
    """Return the mend for an unknown word: the nearest name, else what there is."""
    from difflib import get_close_matches  # a file without a mistake does not need it, and it costs 3 ms

    names = sorted(known)
    close = get_close_matches(word, names, 1)
    if close:
        return f"did you mean {close[0]!r}?"
    if not names:
        return f"there are no {noun} names here"
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"{noun}: {', '.join(names[:_LISTED])}{more}"
