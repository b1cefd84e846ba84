"""The list of error codes: what `headrace explain` knows, a table a hundred."""

from __future__ import annotations

from table import code, table

from headrace.streams.explain import explanations

__all__ = ["code_table"]

_HUNDREDS = {
    "1": "Pipeline file and commands",
    "2": "Broker and topics",
    "3": "Models and their registry",
    "4": "Machine, demo and local files",
    "5": "Records: each of these makes a dead letter",
    "6": "Plugins",
    "7": "Not built yet",
    "9": "Unexpected",
}


def code_table() -> str:
    """Return one table a hundred: code, the fact, who can mend it.

    Raises:
        ValueError: a code belongs to a hundred that has no heading here.
    """
    strays = [one for one in explanations() if one[2] not in _HUNDREDS]
    if strays:
        raise ValueError(f"no heading for {', '.join(strays)}; add one in docs/generator/codes.py")
    return "\n\n".join(part for hundred, heading in _HUNDREDS.items() if (part := _part(hundred, heading)))


def _part(hundred: str, heading: str) -> str:
    known = [one for one in explanations().values() if one.code[2] == hundred]
    rows = [(code(one.code), one.fact, one.who) for one in known]
    return f"## {heading}\n\n{table(('Code', 'What it says', 'Who can mend it'), rows)}" if rows else ""
