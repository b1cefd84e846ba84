"""Where a stage goes on reading when partitions are given to it, and what else has to be known before it does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headrace.core.wire.kept import state_topic
from headrace.streams.committed import Committed
from headrace.streams.join_state import read_state
from headrace.streams.position import take_positions
from headrace.streams.stage_clients import StageClients
from headrace.streams.stage_parts import StageParts

__all__ = ["Resuming"]


class Resuming:
    """Seeks the assigned partitions of one stage.

    Args:
        parts: the stage.
        clients: make a consumer for the state of joins.
        consumer: the stage's own.
        committed: told where reading begins.
    """

    def __init__(self, parts: StageParts, clients: StageClients, consumer: Any, committed: Committed) -> None:
        self._parts, self._clients, self._consumer, self._committed = parts, clients, consumer, committed

    async def resume(self, is_intact: bool) -> Mapping[Any, int]:
        """Seek what is assigned; return the offsets that were chosen since none was committed.

        Args:
            is_intact: whether all that was delivered since the last time is committed, for the same partitions.
        """
        worker, source = self._parts.worker, self._parts.plan.input
        tps = self._consumer.assignment()
        if self._parts.is_ingress:
            await worker.gate.grown(tps)
            worker.pipe.read_anew()
        own = source if self._parts.is_ingress else source.link()
        aside = {tp for tp in tps if tp.topic == self._parts.retry_topic}
        done = self._committed.offsets
        positions = await take_positions(self._consumer, tps - aside, own, worker.meter.gap, done)
        waiting = await take_positions(self._consumer, aside, source.link(), worker.meter.gap, done)
        await self._take_up_joins([tp.partition for tp in tps], is_intact=is_intact)
        self._committed.begin({tp: await self._consumer.position(tp) for tp in tps})
        self._committed.journal.begin({**positions.found, **waiting.found})
        return {**positions.chosen, **waiting.chosen}

    async def _take_up_joins(self, partitions: list[int], *, is_intact: bool) -> None:
        joiner = self._parts.joiner
        if joiner is None:
            return
        if is_intact:
            joiner.rewind()
            return
        state = state_topic(self._parts.plan.pipeline)
        joiner.restore(await read_state(lambda fetch: self._clients.consumer(None, fetch), state, partitions))
