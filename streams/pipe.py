"""The steps of a group in one process: a batch of messages in, what is to be sent for each record out."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import AbstractAsyncContextManager, ExitStack, nullcontext
from typing import NamedTuple

import msgspec

from headrace.core.errors import RecordError
from headrace.core.plan.plan import Plan
from headrace.core.plan.stages import EGRESS, INGRESS
from headrace.core.record import Message, Position
from headrace.core.wire.dead import Failure
from headrace.core.wire.errors import PlanChangedError
from headrace.core.wire.frame import decode_frame
from headrace.core.wire.result import ResultFacts, Spent
from headrace.core.wire.retry import waited
from headrace.streams.bisect import Trap, as_failure, skipped
from headrace.streams.branch import Branches
from headrace.streams.egress import Deliver
from headrace.streams.ends import Ends
from headrace.streams.eras import Eras
from headrace.streams.exposures import Exposures
from headrace.streams.fallback import Fallback
from headrace.streams.fan import Family, Fan
from headrace.streams.hold import Held, Holding, HoldRules
from headrace.streams.inference import ModelStage
from headrace.streams.ingress import Address, Decode, Split
from headrace.streams.join import Joiner, Read
from headrace.streams.link import Outbound, Shipment
from headrace.streams.live import Live
from headrace.streams.meter import Meter
from headrace.streams.slot import Slot

__all__ = ["Condemn", "EgressSteps", "IngressSteps", "Outcome", "Pipe"]

log = logging.getLogger(__name__)


class IngressSteps(NamedTuple):
    """What happens to a record before its first model."""

    decode: Decode
    split: Split | None
    preprocess: Branches
    route: Branches | None
    address: Address


class EgressSteps(NamedTuple):
    """What happens to a record after its last model."""

    postprocess: Branches
    deliver: Sequence[Deliver]


class Outcome(NamedTuple):
    """What became of a batch.

    Attributes:
        slots: its records in order, up to the first of each partition that is held up.
        shipments: the frames for records that go on in another process.
        held: the records that hold up their partition.
    """

    slots: list[Slot]
    shipments: list[Shipment]
    held: list[Held] = []  # noqa: RUF012 - of a tuple, and never altered


Condemn = Callable[[Message, Failure, bool], Outcome]
"""Lets the records of a message fail without running them; if so asked, also those that wait for no more than it."""


class _Way(NamedTuple):
    """How the records of a stage leave this process, and which of them do not."""

    outbound: Outbound
    holding: Holding

    def packed(self, slots: list[Slot]) -> tuple[list[Slot], list[Shipment], list[Held]]:
        """Return the slots that are done, the frames for those that go on, and the records that hold up the rest."""
        held: dict[tuple[str, int], Held] = {}
        while True:
            slots, more = self.holding.cut(slots)
            held |= {one.tp: one for one in more}
            shipments = self.outbound.pack([slot for slot in slots if not slot.is_done])
            # Which may find records that cannot travel; then nothing behind them does.
            if not self.holding.may_hold or not any(self.holding.holds(slot) for slot in slots):
                return slots, shipments, list(held.values())


class _Clock(NamedTuple):
    """When a batch began: epoch milliseconds, and seconds for differences."""

    begun_ms: float
    begun: float


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
        self._plan, self._live, self._meter, self._closing = plan, live, meter, closing
        self._ingress, self.models, self._egress = ingress, models, egress
        self._fallback = fallback
        self._executor: Executor | None = None
        self._landed: list[Callable[[], Awaitable[None]]] = []
        self._held: Callable[[], AbstractAsyncContextManager[None]] = nullcontext
        self._facts = ResultFacts(plan.pipeline, plan.hash)
        self._exposures = Exposures(plan.pipeline) if plan.splitter is not None else None
        self._fan = Fan(models, has_egress=egress is not None, stopped=lambda: live.state.stopped_models)
        self._eras = Eras(in_turn=plan.keeps_turns)
        self._keeps_joins, self._keeps_turns = plan.keeps_joins, plan.keeps_turns
        self._may_join = bool(plan.joins) or plan.keeps_turns

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
        way = _Way(outbound, holding or Holding(HoldRules()))

        def take(messages: Sequence[Message]) -> Outcome:
            way.holding.begin(self._passes_over(stage))
            if stage == INGRESS:
                return self._from_input(messages, way)
            if joiner is not None:
                return self._to_joins(joiner, messages, way)
            return self._from_link(stage, messages, way)

        return take

    def condemning(
        self, stage: str, outbound: Outbound, joiner: Joiner | None = None, holding: Holding | None = None
    ) -> Condemn:
        """Return what lets messages fail that a stage reads and must not run; arguments as for `entry`."""
        way = _Way(outbound, holding or Holding(HoldRules()))

        def condemn(message: Message, failure: Failure, wholly: bool) -> Outcome:
            clock = _Clock(time.time() * 1000, time.perf_counter())
            way.holding.begin(self._passes_over(stage))
            place, at_ms = message.position, message.timestamp_ms
            timed = joiner.first_due(place.partition, at_ms) if joiner is not None and place.offset < 0 else None
            read = Read(message, [self._arrived(message)]) if stage == INGRESS else self._unpacked(stage, message)
            own = read.slots
            if stage == INGRESS:
                self._live.look()
                self._skip(INGRESS, own)
            if stage == EGRESS and joiner is None:
                for slot in own:
                    _refuse_branch(slot)
            sources = {slot.source for slot in own} | {timed}
            # A join may be made by this answer, and what it comes to is the same record.
            slots = [*own] if joiner is None else joiner.run([read])
            for slot in slots:
                if (wholly or slot.source in sources) and slot.failure is None and not slot.is_done:
                    slot.fail(failure)
            return self._walk(stage, slots, clock, time.perf_counter(), way)

        return condemn

    @property
    def has_egress(self) -> bool:
        """Whether records can end here."""
        return self._egress is not None

    def read_anew(self) -> None:
        """Take the input's next records as read again: it is not known which exposures arrived, tell every one anew."""
        self._eras.begin()
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

    def _from_input(self, messages: Sequence[Message], way: _Way) -> Outcome:
        clock = _Clock(time.time() * 1000, time.perf_counter())
        aside = self._plan.retry_topic
        slots = [Slot(one) if one.position.topic != aside else self._arrived(one) for one in messages]
        steps = self._ingress
        if steps is None:
            raise ValueError("this group has no ingress")
        self._live.look()
        self._skip(INGRESS, slots)
        steps.decode.run(slots, clock.begun_ms)
        if steps.split is not None:
            steps.split.run(slots)
        if (
            self._exposures is not None
        ):  # before any step may fail: who meets what does not depend on what becomes of it
            self._expose(self._exposures, slots)
        steps.preprocess.run(slots)
        if steps.route is not None:
            steps.route.run(slots)
            steps.address.run(slots)
        routed = time.perf_counter()
        if self._plan.joins:
            slots, families = self._fan.out(slots)
            self._answer(families, way.holding)
        return self._walk(INGRESS, slots, clock, routed, way)

    def _arrived(self, message: Message) -> Slot:
        """Return the slot of a message of the input, or of one that has waited to be tried again."""
        if message.position.topic != self._plan.retry_topic:
            return Slot(message)
        return Slot(waited(message), carrier=message.position)

    def _from_link(self, stage: str, messages: Sequence[Message], way: _Way) -> Outcome:
        clock = _Clock(time.time() * 1000, time.perf_counter())
        slots = [slot for message in messages for slot in self._unpacked(stage, message).slots]
        if stage == EGRESS:
            for slot in slots:
                _refuse_branch(slot)
        return self._walk(stage, slots, clock, time.perf_counter(), way)

    def _to_joins(self, joiner: Joiner, messages: Sequence[Message], way: _Way) -> Outcome:
        """Take what egress's link brings, and messages without an offset, which only tell how late it is."""
        clock = _Clock(time.time() * 1000, time.perf_counter())
        read = [self._unpacked(EGRESS, message) for message in messages]
        return self._walk(EGRESS, joiner.run(read), clock, time.perf_counter(), way)

    def _unpacked(self, stage: str, message: Message) -> Read:
        """Return what is in a frame; one that cannot be read is a slot of its own bytes, which fails."""
        if message.position.offset < 0:
            return Read(message, [])
        with Trap() as trap:
            frame = decode_frame(message.value)
            slots = [_slot(each, message, stage) for each in frame.records]
            if self._skips(stage)(message.position):
                for slot in slots:
                    slot.fail(skipped(stage))
            return Read(message, slots, frame.call)
        slot = Slot(message)
        if trap.error is not None:
            slot.fail(as_failure(trap.error, stage=stage, plugin="link"))
        return Read(message, [slot])

    def _walk(self, stage: str, slots: list[Slot], clock: _Clock, routed: float, way: _Way) -> Outcome:
        holding = way.holding
        self._rescue(slots, holding)
        self._infer(slots, holding)
        for slot in slots:
            if slot.failure is not None and self._is_joined(stage, slot) and not holding.holds(slot):
                slot.report(may_pass=holding.passes_on)
        spent = self._spent(clock, routed)
        ends: Ends | None = None
        if self._egress is not None:
            here = [slot for slot in slots if slot.next_stage == EGRESS]
            if stage != INGRESS or self._may_join:
                here = [slot for slot in here if not self._is_joined(stage, slot)]
            ends = self._end(self._egress, here, spent, holding)
        self._leave(slots, spent)
        if stage == INGRESS and (self._keeps_joins or self._keeps_turns):
            self._eras.stamp(slots)
        holding.set_aside(slots)
        kept, shipments, held = way.packed(slots)
        if stage == INGRESS and self._keeps_turns:
            way.outbound.call(kept)
        self._meter.failed(kept)
        still = {id(slot) for slot in kept} if held else None
        if ends is not None:
            self._meter.ended(*ends.told(still))
        return Outcome(kept, shipments, held)

    def _is_joined(self, stage: str, slot: Slot) -> bool:
        """Whether egress gets to know of the record's end over its link, even when it is in this process.

        A copy goes where the others are. With joins whose answers come from several processes so does every record that
        came over a link, or egress would not know which offsets are through. Where a key's order holds, all do: those
        before it may still be elsewhere.
        """
        is_met = self._keeps_turns or (self._keeps_joins and stage != INGRESS)
        return stage != EGRESS and (slot.is_branch or is_met)

    def _answer(self, families: Sequence[Family], holding: Holding) -> None:
        """Ask the models of this process for every record that is joined here, as many of them as it takes."""
        while asked := [slot for family in families for slot in family.ask()]:
            self._infer(asked, holding)
        for family in families:
            family.join(holding.waits, may_pass=holding.passes_on)

    def _rescue(self, slots: Sequence[Slot], holding: Holding) -> None:
        """Give failed records the fallback, where the file has one and they do not hold up their partition.

        A branch gets none: its join may have other answers, and what that comes to is rescued.
        """
        if self._fallback is not None:
            failed = (slot for slot in slots if slot.failure is not None and not slot.is_branch)
            self._fallback.rescue(slot for slot in failed if not (holding.holds(slot) or holding.is_aside(slot)))

    def _infer(self, slots: Sequence[Slot], holding: Holding) -> None:
        """Run models until no record goes to one of this process; each round is one step further along every slip."""
        while True:
            due = {slot.next_stage for slot in slots} & self.models.keys()
            if not due:
                return
            for name in [name for name in self.models if name in due]:
                begun = time.perf_counter()
                count = self.models[name].run(slots)
                self._meter.model(name, count, time.perf_counter() - begun)
            self._rescue(slots, holding)

    def _end(self, steps: EgressSteps, ending: Sequence[Slot], spent: Spent, holding: Holding) -> Ends:
        """Bring records to their end."""
        begun = time.perf_counter()
        steps.postprocess.run(ending)
        self._rescue(ending, holding)
        took_ms = (time.perf_counter() - begun) * 1000
        ends = Ends(ending, self._facts, spent.after(took_ms), is_as_said=steps.postprocess.is_empty)
        for deliver in steps.deliver:
            deliver.run(ends)
        for slot in ending:
            slot.is_done = True
        return ends

    def _expose(self, exposures: Exposures, slots: Sequence[Slot]) -> None:
        for slot in slots:
            if slot.record is not None and slot.record.experiments:
                slot.outgoing += [("exposures", message) for message in exposures.due((slot.record,))]

    def _spent(self, clock: _Clock, routed: float) -> Spent:
        ended = time.perf_counter()
        return Spent(
            begun_ms=clock.begun_ms,
            ended_ms=clock.begun_ms + (ended - clock.begun) * 1000,
            preprocess_ms=(routed - clock.begun) * 1000,
            postprocess_ms=0.0,
        )

    def _leave(self, slots: Sequence[Slot], spent: Spent) -> None:
        """Let the records that go on elsewhere carry their times."""
        for slot in slots:
            record = slot.record
            if record is not None and not slot.is_done and not record.begun_ms:
                slot.record = record.replace(begun_ms=spent.begun_ms, preprocess_ms=spent.preprocess_ms)

    def _skip(self, stage: str, slots: Sequence[Slot]) -> None:
        if stage not in self._live.state.skips:
            return
        is_skipped = self._skips(stage)
        for slot in slots:
            if slot.message is not None and is_skipped(slot.carrier):
                slot.fail(skipped(stage))

    def _passes_over(self, stage: str) -> Callable[[Slot], bool]:
        """Return what tells whether nothing of a slot holds up its partition: its message is skipped, or its record."""
        is_skipped, records = self._skips(stage), self._live.state.skipped_records.get(stage, frozenset())
        return lambda slot: is_skipped(slot.carrier) or (bool(records) and str(slot.source) in records)

    def _skips(self, stage: str) -> Callable[[Position], bool]:
        """Return what tells whether a stage is to pass over the message at a position, as was asked until now."""
        skips, aside = self._live.state.skips.get(stage, {}), self._plan.retry_topic

        def is_skipped(at: Position) -> bool:
            span = skips.get(at.partition) if at.topic != aside else None
            return span is not None and span[0] <= at.offset < span[1]

        return is_skipped


def _slot(found: object, message: Message, stage: str) -> Slot:
    if isinstance(found, RecordError):
        slot = Slot(message)
        slot.fail(as_failure(found, stage=stage, plugin="link"))
        return slot
    return Slot(None, found, carrier=message.position)  # type: ignore[arg-type]  # a frame holds records and errors


def _refuse_branch(slot: Slot) -> None:
    """End the answer of one branch where nothing is joined; a record has one end, so that of the others is silent."""
    record = slot.record
    slip = record.slip if record is not None else None
    if record is None or slip is None or slip.branch is None:
        return
    if slip.branch == 0:
        error = PlanChangedError("the plan under which it is to be joined is gone", mend="redrive it")
        slot.record = record.replace(slip=msgspec.structs.replace(slip, branch=None))  # no join has a word in it now
        slot.fail(as_failure(error, stage=EGRESS, plugin="join"))
    else:
        slot.is_done = True
