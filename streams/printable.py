"""Text of strangers made safe to show: payloads, keys, headers and reasons may hold what acts on a terminal."""

from __future__ import annotations

import re

__all__ = ["printable", "quiet_json"]

# What JSON leaves as it is and a terminal may obey: DEL, the C1 controls (0x9b begins a sequence), line and paragraph
# separators, and the marks that turn the direction of a text.
_LIVELY = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


def printable(text: str) -> str:
    """Return text that is safe on a terminal: control characters and lone surrogates become visible escapes."""
    return text if text.isprintable() else "".join(map(_visible, text))


def quiet_json(text: str) -> str:
    r"""Return a JSON document that is safe on a terminal and means the same: such characters as \uXXXX."""
    return _LIVELY.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _visible(char: str) -> str:
    return char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
