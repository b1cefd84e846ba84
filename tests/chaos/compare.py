"""Two messages field by field: a result under faults beside the same record's result without any."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from tests.chaos.ends import Due
from tests.support.client import Seen

__all__ = ["TOLERANCE", "changed_letter", "changed_result", "fields"]

TOLERANCE = 1e-5
"""How far scores may be apart: batches are other ones in each run, and floats are summed in another order."""

_PASSING = frozenset(("time", "attempt", "pipeline", "plan"))  # the last two are looked at on their own
_HEADERS_OF_THE_RUN = frozenset(("ce_id", "ce_time", "ce_source"))
_REASONS = ("__streams.errors.", "headrace.")


def changed_result(seen: Seen, calm: Seen) -> list[str]:
    """Return in which fields a result is another one than without faults, times and attempts apart."""
    ours, theirs = _lasting(seen), _lasting(calm)
    return [
        f"{path}: {ours.get(path, '(absent)')!r} instead of {theirs.get(path, '(absent)')!r}"
        for path in sorted(ours.keys() | theirs.keys())
        if not _alike(ours.get(path, _Absent), theirs.get(path, _Absent))
    ]


def changed_letter(letter: Seen, due: Due) -> list[str]:
    """Return in what a dead letter is not the message that was published."""
    kept = tuple((name, value) for name, value in letter.headers if not name.startswith(_REASONS))
    pairs = {
        "key": (letter.key, due.key),
        "value": (letter.value, due.value),
        "headers": (kept, due.headers),
        "timestamp": (letter.timestamp_ms, due.timestamp_ms),
    }
    return [f"{name}: {_short(ours)} instead of {_short(sent)}" for name, (ours, sent) in pairs.items() if ours != sent]


def fields(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every value inside a JSON value with its dotted path; empty objects and lists are values, too."""
    inner: Any = None
    if isinstance(value, Mapping):
        inner = value.items()
    elif isinstance(value, list):
        inner = enumerate(value)
    if not inner or not value:
        yield path, value
        return
    for name, part in inner:
        yield from fields(part, f"{path}.{name}" if path else str(name))


class _Absent:
    """Stands for a field that is not there."""


def _lasting(seen: Seen) -> dict[str, Any]:
    body = dict(fields(json.loads(seen.value or b"null")))
    lasting = {path: value for path, value in body.items() if path not in _PASSING and not path.startswith("timings.")}
    lasting["(key)"] = seen.key
    headers = sorted((name, value or b"") for name, value in seen.headers if name not in _HEADERS_OF_THE_RUN)
    return lasting | {"(headers)": headers}


def _alike(ours: Any, theirs: Any) -> bool:
    if isinstance(ours, float) and isinstance(theirs, float):
        return math.isclose(ours, theirs, rel_tol=0, abs_tol=TOLERANCE)
    return type(ours) is type(theirs) and bool(ours == theirs)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
