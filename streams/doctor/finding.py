"""A finding: what was looked at, whether it is fine, what was seen, and how to mend it."""

from __future__ import annotations

from typing import Literal, NamedTuple

from headrace.core.errors import HeadraceError

__all__ = ["Finding", "State", "of_error"]

State = Literal["ok", "warn", "fail"]
"""`warn`: worth knowing, nothing stops. `fail`: a pipeline cannot run like this."""


class Finding(NamedTuple):
    """One line of `headrace doctor`."""

    subject: str
    state: State
    fact: str
    mend: str = ""


def of_error(subject: str, error: HeadraceError, state: State = "fail") -> Finding:
    """Return an error as a finding, with its place and code."""
    where = f"{error.place} " if error.place else ""
    return Finding(subject, state, f"{where}{error.code} {error.fault}", error.mend)
