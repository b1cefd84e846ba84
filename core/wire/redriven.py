"""Dead letters that are published again: which record they are, how often that was, and which output still waits.

A redriven message is the original byte for byte, with these headers behind its own. They stay with it when it fails
again, so that its next dead letter knows them, and never reach a result.
"""

from __future__ import annotations

from typing import NamedTuple

from headrace.core.record import Headers

__all__ = ["ATTEMPT", "ID", "ONLY_OUTPUT", "REDRIVE_HEADERS", "TIMES", "Redriven", "number_in", "redriven"]

ID = "headrace.id"
TIMES = "headrace.redriven"
ONLY_OUTPUT = "headrace.only_output"
ATTEMPT = "headrace.attempt"
REDRIVE_HEADERS = frozenset((ID, TIMES, ONLY_OUTPUT))


class Redriven(NamedTuple):
    """What a redriven message says of itself: its record's id, and the one output that lacks the result, or none."""

    id: str
    only_output: str


def redriven(headers: Headers, position: str) -> Redriven:
    """Return the id of a message without one of CloudEvents, and the output that it is for.

    Args:
        headers: those of the message.
        position: where it lies: its id unless it was redriven, so that results and feedback still join.
    """
    found = {name: value for name, value in headers if name in REDRIVE_HEADERS}
    if not found:
        return Redriven(position, "")
    return Redriven(_text(found.get(ID)) or position, _text(found.get(ONLY_OUTPUT)))


def number_in(headers: Headers, name: str) -> int:
    """Return the number that a header holds, such as how often a message was redriven; 0 when it holds none."""
    for other, value in headers:
        if other == name and value is not None and value.isdigit():
            return int(value[:9])
    return 0


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "replace")
