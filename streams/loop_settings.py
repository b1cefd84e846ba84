"""What a record loop is told by the stage that it reads for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from headrace.core.errors import HeadraceError
from headrace.core.record import Message
from headrace.streams.errors import UnexpectedError
from headrace.streams.hold import Held, Holding, HoldRules
from headrace.streams.outcome import Outcome
from headrace.streams.pace import Pace
from headrace.streams.suspects import Suspects

__all__ = ["LoopSettings"]


@dataclass(frozen=True)
class LoopSettings:
    """What the loop is told.

    Attributes:
        max_wait_ms: how long a batch waits to fill.
        stage: whose loop it is, for health and figures.
        weigh: how many records a message holds, where it is a frame; None where each message is one.
        paused: why nothing is to be read; None when nothing speaks against it.
        waits: whether nothing is to be read until others have caught up: no pause that somebody asked for.
        full: the partitions of which nothing is to be read now.
        denied: what an error says of rights that are missing, which no waiting brings.
        ticks: messages that lie nowhere and only tell a batch how late it is, each with the offset to commit with it;
            asked for when there was nothing to read.
        holding: knows which partitions wait for a record.
        pace: says how many messages may be read now.
        suspects: knows which records are taken alone, since one of them may have killed a process.
        early_s: by topic and raw message, how many seconds too early it would be read now; None where none ever is.
        on_final: makes the error of a record that the worker stops for.
        on_delivered: told what became of a batch once it is delivered.
        first_backoff_s: how long it pauses after an error.
        last_backoff_s: the longest such pause.
    """

    max_wait_ms: float
    stage: str = "ingress"
    weigh: Callable[[Message], int] | None = None
    paused: Callable[[], str | None] = lambda: None
    waits: Callable[[], bool] = lambda: False
    full: Callable[[], Collection[int]] = lambda: ()
    denied: Callable[[Exception], HeadraceError | None] = lambda error: None
    ticks: Callable[[], Awaitable[tuple[list[Message], dict[Any, int]]]] | None = None
    holding: Holding = field(default_factory=lambda: Holding(HoldRules()))
    pace: Pace = field(default_factory=lambda: Pace(None))
    suspects: Suspects = field(default_factory=Suspects)
    early_s: Callable[[str, Any], float] | None = None
    on_final: Callable[[Held], HeadraceError] = lambda held: UnexpectedError(str(held.failure))
    on_delivered: Callable[[Outcome], None] = lambda outcome: None
    first_backoff_s: float = 0.2
    last_backoff_s: float = 5.0
