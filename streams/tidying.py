"""What a stage sees to every few seconds beside its records: the figures of its lag, links that are read, balance."""

from __future__ import annotations

import asyncio
from typing import Any

from headrace.streams.committed import Committed
from headrace.streams.fullness import Fullness
from headrace.streams.hold import Holding
from headrace.streams.purge import Purge
from headrace.streams.spread import Spread
from headrace.streams.stage_parts import StageParts

__all__ = ["Tidying"]

EVERY_S = 3.0


class Tidying:
    """Tells the lag, deletes what is read of a link, looks where the next stages lag least.

    Args:
        parts: the stage.
        consumer: the stage's own.
        committed: what is read of its topics.
        holding: the records that hold up their partitions.
        spread: balances by lag, if the file asks for it.
    """

    def __init__(
        self, parts: StageParts, consumer: Any, committed: Committed, holding: Holding, spread: Spread | None
    ) -> None:
        self._parts, self._consumer, self._committed = parts, consumer, committed
        self._holding, self._spread = holding, spread
        deletes = not parts.is_ingress or parts.retry_topic
        self._purge = Purge(parts.worker.connection) if deletes else None
        self._fullness = self._new_fullness()

    async def run(self) -> None:
        """Go on until cancelled."""
        while True:
            self._note_lag()
            self._note_held()
            await self._delete()
            if self._spread is not None:
                await self._spread.look()
            if self._fullness is not None:
                await self._fullness.tell({tp.partition for tp in self._consumer.assignment()})
            await asyncio.sleep(EVERY_S)

    async def close(self) -> None:
        """Let go of the broker."""
        for helper in (self._purge, self._spread):
            if helper is not None:
                await helper.close()

    def _new_fullness(self) -> Fullness | None:
        worker, joiner = self._parts.worker, self._parts.joiner
        if joiner is None or not worker.plan.keeps_state:
            return None
        return Fullness(worker.connection, worker.plan.pipeline, joiner, worker.live, worker.instance)

    async def _delete(self) -> None:
        """Delete what is read of a link, and of what waited to be tried again; the input is not ours."""
        if self._purge is None:
            return
        own = {tp: offset for tp, offset in self._committed.offsets.items() if offset}
        is_input = self._parts.is_ingress
        await self._purge.run({tp: at for tp, at in own.items() if not is_input or tp.topic == self._parts.retry_topic})

    def _note_held(self) -> None:
        worker, name = self._parts.worker, self._parts.stage.name
        assigned = {(tp.topic, tp.partition) for tp in self._consumer.assignment()}
        held = {tp[1]: why for tp, why in self._holding.known(assigned).items()}
        full = self._parts.full()
        held |= {at: f"{full[at]} records wait at egress" for _, at in assigned if at in full}
        worker.health.hold(name, held)
        worker.meter.held(name, len(held))

    def _note_lag(self) -> None:
        meter, name, done = self._parts.worker.meter, self._parts.stage.name, self._committed.offsets
        # Up to the first open transaction: what lies behind it is not to be read yet, or never.
        ends = {tp: self._consumer.last_stable_offset(tp) for tp in self._consumer.assignment() if tp in done}
        lags = {tp: max(0, end - done[tp]) for tp, end in ends.items() if end is not None}
        aside = {tp.partition: lag for tp, lag in lags.items() if tp.topic == self._parts.retry_topic}
        meter.lag(name, {tp.partition: lag for tp, lag in lags.items() if tp.topic != self._parts.retry_topic})
        if aside:
            meter.lag(f"{name}.retry", aside)
