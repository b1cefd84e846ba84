"""Whether results came in the order that is promised: first copies only, since a copy may come late."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from enum import Enum
from typing import Any

from tests.chaos.finding import DISORDERED, Finding
from tests.support.client import Seen

__all__ = ["Scope", "judge_order"]


class Scope(Enum):
    """Within what the order of results is promised."""

    PARTITION = "those of one input partition, whichever models they took (one process)"
    PATH = "those of one key that took the same path (several processes)"
    KEY = "those of one key (order: key)"


def judge_order(
    role: str, seen: Sequence[Seen], scope: Scope, waits: Callable[[int], bool] = lambda offset: False
) -> Iterator[Finding]:
    """Yield each result that came after a later one of the same scope.

    Args:
        role: the output's role.
        seen: its messages, each partition in its order.
        scope: within what the order is promised.
        waits: tells the offsets whose records wait aside, so that others may overtake them.
    """
    latest: dict[Hashable, tuple[int, str]] = {}
    known: set[str] = set()
    for one in seen:
        body = one.body
        if body["id"] in known or waits(body["source"]["offset"]):
            continue
        known.add(body["id"])
        lane = (one.partition, body["source"]["partition"], _LANES[scope](one, body))
        offset = body["source"]["offset"]
        before, id_ = latest.get(lane, (-1, ""))
        if offset < before:
            yield Finding(DISORDERED, body["id"], f"{role}: it came after {id_}")
        latest[lane] = max(latest.get(lane, (-1, "")), (offset, body["id"]))


def _path(seen: Seen, body: Any) -> Hashable:
    variants = tuple((one["id"], one["variant"]) for one in body["experiments"])
    return seen.key, tuple(body["route"]["path"]), variants


_LANES: dict[Scope, Callable[[Seen, Any], Hashable]] = {
    Scope.PARTITION: lambda seen, body: None,
    Scope.PATH: _path,
    Scope.KEY: lambda seen, body: seen.key,
}
