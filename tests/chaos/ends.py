"""How records ended: what was published, and what a run left in its topics, as a foreign client sees both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tests.support.client import Seen

__all__ = ["Due", "Ends", "Headers", "source_of"]

Headers = tuple[tuple[str, bytes | None], ...]


class Due(NamedTuple):
    """A published record and its one right end, which its publisher knows.

    `name` travels with it as a header. `code` and `stage` are those of the dead letter that it must become; empty
    when a result is due.
    """

    name: str
    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp_ms: int
    code: str = ""
    stage: str = ""

    @property
    def id(self) -> str:
        """What its result must call it."""
        return f"{self.topic}:{self.partition}:{self.offset}"


class Ends(NamedTuple):
    """Everything that a pipeline wrote: results by the role of the output, dead letters, exposures."""

    pipeline: str
    outputs: Mapping[str, Sequence[Seen]]
    dead: Sequence[Seen]
    exposures: Sequence[Seen]


def source_of(letter: Seen) -> str:
    """Return where the record of a dead letter lay, as its reasons say."""
    found = dict(letter.headers)
    names = (f"__streams.errors.{part}" for part in ("topic", "partition", "offset"))
    return ":".join((found.get(name) or b"?").decode() for name in names)
