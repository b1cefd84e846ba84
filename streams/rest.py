"""Which of the assigned partitions rest: polling goes on meanwhile, or the group would think the worker dead."""

from __future__ import annotations

from typing import Any

from headrace.streams.loop_settings import LoopSettings

__all__ = ["heed_pause"]


def heed_pause(consumer: Any, settings: LoopSettings) -> tuple[bool, bool]:
    """Pause or resume partitions, as was asked. While some have suspects the others wait.

    Returns: whether all are paused, and whether those left have suspects.
    """
    is_paused = settings.paused() is not None
    is_shut = is_paused or settings.waits()
    assigned, full = consumer.assignment(), settings.full()
    waiting = {
        *settings.holding.waiting(),
        *((tp.topic, tp.partition) for tp in assigned if tp.partition in full),
    }
    alone = settings.suspects.among(assigned, waiting)
    free = alone or {tp for tp in assigned if (tp.topic, tp.partition) not in waiting}
    still = {tp for tp in assigned if is_shut or tp not in free}
    again = consumer.paused() - still
    if still:
        consumer.pause(*still)
    if again:
        consumer.resume(*again)
    return is_paused, bool(alone)
