"""The steps of a group in one process: a batch of messages in, what is to be sent for each record out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import AbstractAsyncContextManager, ExitStack, nullcontext

from headrace.core.plan.plan import Plan
from headrace.core.plan.stages import EGRESS, INGRESS
from headrace.core.record import Message
from headrace.core.wire.dead import Failure
from headrace.streams.exposures import Exposures
from headrace.streams.fallback import Fallback
from headrace.streams.hold import Holding, HoldRules
from headrace.streams.inference import ModelStage
from headrace.streams.intake import Intake, refuse_branch
from headrace.streams.join import Joiner, Read
from headrace.streams.link import Outbound
from headrace.streams.live import Live
from headrace.streams.meter import Meter
from headrace.streams.outcome import Condemn, Outcome
from headrace.streams.skips import Skips
from headrace.streams.slot import Slot
from headrace.streams.steps import EgressSteps, IngressSteps
from headrace.streams.walk import Clock, Walk, Way

__all__ = ["Pipe"]


class Pipe:
    """The opened steps of a group. Called by one executor thread; knows nothing of Kafka's offsets.

    Args:
        plan: what runs.
        ingress: the steps before the models, when this group has them.
        models: the model stages of this group.
        egress: the steps after the models, when this group has them.
        live: what may change meanwhile.
        meter: counts.
        closing: closes the steps.
        fallback: answers for records that failed; None leaves them dead letters.
    """

    def __init__(
        self,
        plan: Plan,
        ingress: IngressSteps | None,
        models: Mapping[str, ModelStage],
        egress: EgressSteps | None,
        *,
        live: Live,
        meter: Meter,
        closing: ExitStack,
        fallback: Fallback | None = None,
    ) -> None:
        self._plan, self._live, self._closing = plan, live, closing
        self._ingress, self.models = ingress, models
        self.has_egress = egress is not None
        """Whether records can end here."""
        self._executor: Executor | None = None
        self._landed: list[Callable[[], Awaitable[None]]] = []
        self._held: Callable[[], AbstractAsyncContextManager[None]] = nullcontext
        self._exposures = Exposures(plan.pipeline) if plan.splitter is not None else None
        self._skips = Skips(live, plan.retry_topic)
        self._intake = Intake(self._skips, plan.retry_topic)
        self._walk = Walk(plan, models, egress, live=live, meter=meter, fallback=fallback)

    def entry(
        self, stage: str, outbound: Outbound, joiner: Joiner | None = None, holding: Holding | None = None
    ) -> Callable[[Sequence[Message]], Outcome]:
        """Return what takes the batches that a stage reads.

        Args:
            stage: its name.
            outbound: its way to other processes.
            joiner: egress's joins, if there are any whose answers come over its link.
            holding: says which failed records hold up their partition; None: none does.
        """
        way = Way(stage, outbound, holding or Holding(HoldRules()))

        def take(messages: Sequence[Message]) -> Outcome:
            way.holding.begin(self._skips.holding_nothing(stage))
            if stage == INGRESS:
                return self._from_input(messages, way)
            if joiner is not None:
                return self._to_joins(joiner, messages, way)
            return self._from_link(messages, way)

        return take

    def condemning(
        self, stage: str, outbound: Outbound, joiner: Joiner | None = None, holding: Holding | None = None
    ) -> Condemn:
        """Return what lets messages fail that a stage reads and must not run; arguments as for `entry`."""
        way = Way(stage, outbound, holding or Holding(HoldRules()))

        def condemn(message: Message, failure: Failure, wholly: bool) -> Outcome:
            clock = Clock.start()
            way.holding.begin(self._skips.holding_nothing(stage))
            place, at_ms = message.position, message.timestamp_ms
            timed = joiner.first_due(place.partition, at_ms) if joiner is not None and place.offset < 0 else None
            read = self._condemned(stage, message, is_joined=joiner is not None)
            sources = {slot.source for slot in read.slots} | {timed}
            # A join may be made by this answer, and what it comes to is the same record.
            slots = [*read.slots] if joiner is None else joiner.run([read])
            for slot in slots:
                if (wholly or slot.source in sources) and slot.failure is None and not slot.is_done:
                    slot.fail(failure)
            return self._walk.run(way, slots, clock, time.perf_counter())

        return condemn

    def read_anew(self) -> None:
        """Take the input's next records as read again: it is not known which exposures arrived, tell every one anew."""
        self._walk.begin_anew()
        if self._exposures is not None:
            self._exposures.forget()

    def use(self, executor: Executor) -> None:
        """Take the executor that runs all batches; before the first one its models get warm there."""
        self._executor = executor
        for stage in self.models.values():
            executor.submit(stage.warm_up)

    def settles(self, landed: Callable[[], Awaitable[None]]) -> None:
        """Take what waits for the batches in flight of a stage of this process."""
        self._landed.append(landed)

    def holds(self, held: Callable[[], AbstractAsyncContextManager[None]]) -> None:
        """Take what keeps ingress from launching batches for a while."""
        self._held = held

    def held(self) -> AbstractAsyncContextManager[None]:
        """Keep ingress from routing meanwhile; what it has routed is committed by then."""
        return self._held()

    async def settle(self) -> None:
        """Wait until the batches that are being processed now are processed, and what they gave has arrived."""
        if self._executor is not None:
            await asyncio.get_running_loop().run_in_executor(self._executor, lambda: None)
        await asyncio.gather(*(landed() for landed in self._landed))

    async def between(self, act: Callable[[], object]) -> None:
        """Do something between two batches, when no step is at work."""
        await asyncio.get_running_loop().run_in_executor(self._executor, act)

    def close(self) -> None:
        """Close every step that was opened, the last one first."""
        self._closing.close()

    def _from_input(self, messages: Sequence[Message], way: Way) -> Outcome:
        clock = Clock.start()
        slots = self._intake.arrived(messages)
        steps = self._ingress
        if steps is None:
            raise ValueError("this group has no ingress")
        self._live.look()
        self._skips.fail(INGRESS, slots)
        steps.decode.run(slots, clock.begun_ms)
        if steps.split is not None:
            steps.split.run(slots)
        # Before any step may fail: who meets what does not depend on what becomes of it.
        if self._exposures is not None:
            _expose(self._exposures, slots)
        steps.preprocess.run(slots)
        if steps.route is not None:
            steps.route.run(slots)
            steps.address.run(slots)
        routed = time.perf_counter()
        if self._plan.joins:
            slots = self._walk.ask(slots, way.holding)
        return self._walk.run(way, slots, clock, routed)

    def _from_link(self, messages: Sequence[Message], way: Way) -> Outcome:
        clock = Clock.start()
        slots = [slot for message in messages for slot in self._intake.unpacked(way.stage, message).slots]
        if way.stage == EGRESS:
            for slot in slots:
                refuse_branch(slot)
        return self._walk.run(way, slots, clock, time.perf_counter())

    def _to_joins(self, joiner: Joiner, messages: Sequence[Message], way: Way) -> Outcome:
        """Take what egress's link brings, and messages without an offset, which only tell how late it is."""
        clock = Clock.start()
        read = [self._intake.unpacked(EGRESS, message) for message in messages]
        return self._walk.run(way, joiner.run(read), clock, time.perf_counter())

    def _condemned(self, stage: str, message: Message, *, is_joined: bool) -> Read:
        """Return the slots of a message whose records are to fail."""
        if stage == INGRESS:
            read = Read(message, self._intake.arrived([message]))
            self._live.look()
            self._skips.fail(INGRESS, read.slots)
            return read
        read = self._intake.unpacked(stage, message)
        if stage == EGRESS and not is_joined:
            for slot in read.slots:
                refuse_branch(slot)
        return read


def _expose(exposures: Exposures, slots: Sequence[Slot]) -> None:
    for slot in slots:
        if slot.record is not None and slot.record.experiments:
            slot.outgoing += [("exposures", message) for message in exposures.due((slot.record,))]
