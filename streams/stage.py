"""The service that owns one stage's consumer and producers, and runs the record loop between them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from aiokafka import ConsumerRebalanceListener
from aiokafka.errors import KafkaError
from mode import Service

from headrace.core.errors import HeadraceError
from headrace.core.plan.stages import StagePlan
from headrace.streams.ahead import Ahead
from headrace.streams.committed import Committed
from headrace.streams.errors import DuplicateWorkerError, UnexpectedError
from headrace.streams.fence import Fence
from headrace.streams.hold import Holding, HoldRules
from headrace.streams.journal import Journal
from headrace.streams.loop import RecordLoop
from headrace.streams.originals import Originals
from headrace.streams.resuming import Resuming
from headrace.streams.spread import Spread
from headrace.streams.stage_clients import StageClients
from headrace.streams.stage_loop import make_delivery, make_loop
from headrace.streams.stage_parts import StageParts
from headrace.streams.tidying import Tidying
from headrace.streams.worker_parts import WorkerParts

__all__ = ["StageService"]

log = logging.getLogger(__name__)


class StageService(Service):  # type: ignore[misc]  # mode has no types
    """Consumer, producers and record loop of one stage that reads a topic."""

    parts: WorkerParts
    stage: StagePlan
    logger = logging.getLogger("mode.stage")  # mode's own start and stop lines; ours say more

    async def on_start(self) -> None:
        """Connect, and join the consumer group."""
        self._is_begun = False
        self._make(StageParts(self.parts, self.stage))
        await self._delivery.start()
        self.parts.pipe.settles(self._loop.landed)
        if self._own.is_ingress:
            self.parts.pipe.holds(self._loop.held)
        listener = _Listener(self._loop, self.stage, self._refuse_rival())
        self._consumer.subscribe(self._own.reads, listener=listener)
        await self._consumer.start()
        self.parts.ending.add(self._drain)
        self._run = asyncio.create_task(self._guard())
        self._tidies = asyncio.create_task(self._tidying.run())
        if self._ahead is not None:
            self._ahead.start()

    async def on_stop(self) -> None:
        """Leave the group and close the clients; when Faust crashed, the batches in flight end first."""
        await self._drain()
        self._tidies.cancel()
        if not self._is_begun:  # it still waits for the links to drain
            self._run.cancel()
        await asyncio.gather(self._run, self._tidies, return_exceptions=True)
        await self._originals.close()
        await self._consumer.stop()
        await self._delivery.close()
        await self._tidying.close()
        if self._ahead is not None:
            await self._ahead.close()

    def _make(self, own: StageParts) -> None:
        """Make what it runs; nothing of it has talked to the broker yet."""
        plan = own.plan
        clients = StageClients(own)
        self._own = own
        self._consumer = clients.consumer(self.stage.consumer_group)
        self._originals = Originals(lambda: clients.consumer(None))
        self._ahead = self._new_ahead() if own.is_ingress else None
        spread = Spread(self.parts.connection, plan) if plan.link.balance == "least_lag" else None
        committed = Committed(self._consumer, Journal(self.stage.name, own.reach))
        holding = Holding(HoldRules.of(plan.delivery))
        self._tidying = Tidying(own, self._consumer, committed, holding, spread)
        self._delivery = make_delivery(own, clients, self._consumer, committed, self._originals)
        self._loop = make_loop(
            own,
            consumer=self._consumer,
            delivery=self._delivery,
            resuming=Resuming(own, clients, self._consumer, committed),
            committed=committed,
            holding=holding,
            ahead=self._ahead,
            spread=spread,
        )

    def _new_ahead(self) -> Ahead:
        parts = self.parts
        return Ahead(parts.connection, parts.plan, lambda: parts.live.state.stopped_models)

    async def _drain(self) -> bool:
        """No new batch; every batch in flight ends and is committed. Returns whether they all did."""
        try:
            return await self._loop.stop()
        except (KafkaError, TimeoutError) as error:  # the broker may be gone; what is not committed is read again
            log.warning("the last commit failed, those records will be read again: %s", error)
            return False

    async def _guard(self) -> None:
        try:
            if self._own.is_ingress:
                await self.parts.gate.opened()
            self._is_begun = True
            await self._loop.run()
        except HeadraceError as error:
            self.parts.ending.fail(error)
        except BaseException as error:  # noqa: BLE001 - a loop that is gone must not look like one that has no work
            fault = f"the record loop of {self.stage.name} ended by {type(error).__name__}: {error}"
            self.parts.ending.fail(UnexpectedError(fault, mend="report it with the log"))

    def _refuse_rival(self) -> Callable[[], None]:
        worker = self.parts.worker
        if not worker:
            return lambda: None  # members without a name cannot push each other out
        fence = Fence(worker)

        def look() -> None:
            try:
                fence.joined(self._consumer._coordinator.member_id)  # aiokafka tells it nowhere else
            except DuplicateWorkerError as error:
                self.parts.ending.fail(error)

        return look


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """Tells the loop when partitions come and go."""

    def __init__(self, loop: RecordLoop, stage: StagePlan, on_joined: Callable[[], None]) -> None:
        self._loop, self._stage, self._on_joined = loop, stage, on_joined

    async def on_partitions_revoked(self, revoked: Any) -> None:
        """Called before the group is joined anew; the partitions are ours until this returns."""
        if revoked:
            await self._loop.revoked()

    def on_partitions_assigned(self, assigned: Any) -> None:
        """Called when the group has agreed."""
        self._loop.assigned()
        self._on_joined()
        log.info(
            "%s: partitions assigned: %s",
            self._stage.name,
            sorted(tp.partition for tp in assigned if tp.topic == self._stage.reads),
        )
