"""The way of a batch's records through a process: its models, and their end or the link to where they go on."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Self

from headrace.core.plan.plan import Plan
from headrace.core.plan.stages import EGRESS, INGRESS
from headrace.core.wire.result import ResultFacts, Spent
from headrace.streams.ends import Ends
from headrace.streams.eras import Eras
from headrace.streams.fallback import Fallback
from headrace.streams.fan import Fan
from headrace.streams.hold import Held, Holding
from headrace.streams.inference import ModelStage
from headrace.streams.link import Outbound, Shipment
from headrace.streams.live import Live
from headrace.streams.meter import Meter
from headrace.streams.outcome import Outcome
from headrace.streams.slot import Slot
from headrace.streams.steps import EgressSteps

__all__ = ["Clock", "Walk", "Way"]


class Way(NamedTuple):
    """How the records of a stage leave this process, and which of them do not."""

    stage: str
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


class Clock(NamedTuple):
    """When a batch began: epoch milliseconds, and seconds for differences."""

    begun_ms: float
    begun: float

    @classmethod
    def start(cls) -> Self:
        """Begin now."""
        return cls(time.time() * 1000, time.perf_counter())

    def spent(self, routed: float) -> Spent:
        """Return the times of its records, that were routed at a moment and leave the models now."""
        ended = time.perf_counter()
        return Spent(
            begun_ms=self.begun_ms,
            ended_ms=self.begun_ms + (ended - self.begun) * 1000,
            preprocess_ms=(routed - self.begun) * 1000,
            postprocess_ms=0.0,
        )


class Walk:
    """Takes slots through the models and to their end.

    Args:
        plan: what runs.
        models: the model stages of this group.
        egress: the steps after the models, when this group has them.
        live: what may change meanwhile.
        meter: counts.
        fallback: answers for records that failed; None leaves them dead letters.
    """

    def __init__(
        self,
        plan: Plan,
        models: Mapping[str, ModelStage],
        egress: EgressSteps | None,
        *,
        live: Live,
        meter: Meter,
        fallback: Fallback | None,
    ) -> None:
        self._models, self._egress = models, egress
        self._meter, self._fallback = meter, fallback
        self._facts = ResultFacts(plan.pipeline, plan.hash)
        self._fan = Fan(models, has_egress=egress is not None, stopped=lambda: live.state.stopped_models)
        self._eras = Eras(in_turn=plan.keeps_turns)
        self._keeps_joins, self._keeps_turns = plan.keeps_joins, plan.keeps_turns
        self._may_join = bool(plan.joins) or plan.keeps_turns

    def begin_anew(self) -> None:
        """Take the input's next records as read again."""
        self._eras.begin()

    def ask(self, slots: Sequence[Slot], holding: Holding) -> list[Slot]:
        """Copy the records that several models answer, and join here what this process can answer."""
        slots, families = self._fan.out(slots)
        while asked := [slot for family in families for slot in family.ask()]:
            self._infer(asked, holding)
        for family in families:
            family.join(holding.waits, may_pass=holding.passes_on)
        return slots

    def run(self, way: Way, slots: list[Slot], clock: Clock, routed: float) -> Outcome:
        """Take slots as far as this process can; they were routed at a moment of `time.perf_counter`."""
        stage, holding = way.stage, way.holding
        self._rescue(slots, holding)
        self._infer(slots, holding)
        for slot in slots:
            if slot.failure is not None and self._is_joined(stage, slot) and not holding.holds(slot):
                slot.report(may_pass=holding.passes_on)
        spent = clock.spent(routed)
        ends = self._end(self._egress, self._ending(stage, slots), spent, holding) if self._egress is not None else None
        _keep_times(slots, spent)
        if stage == INGRESS and (self._keeps_joins or self._keeps_turns):
            self._eras.stamp(slots)
        holding.set_aside(slots)
        kept, shipments, held = way.packed(slots)
        if stage == INGRESS and self._keeps_turns:
            way.outbound.call(kept)
        self._meter.failed(kept)
        if ends is not None:
            self._meter.ended(*ends.told({id(slot) for slot in kept} if held else None))
        return Outcome(kept, shipments, held)

    def _ending(self, stage: str, slots: Sequence[Slot]) -> list[Slot]:
        """Return the slots that end in this process."""
        here = [slot for slot in slots if slot.next_stage == EGRESS]
        if stage == INGRESS and not self._may_join:
            return here
        return [slot for slot in here if not self._is_joined(stage, slot)]

    def _is_joined(self, stage: str, slot: Slot) -> bool:
        """Whether egress gets to know of the record's end over its link, even when it is in this process.

        A copy goes where the others are. With joins whose answers come from several processes so does every record that
        came over a link, or egress would not know which offsets are through. Where a key's order holds, all do: those
        before it may still be elsewhere.
        """
        is_met = self._keeps_turns or (self._keeps_joins and stage != INGRESS)
        return stage != EGRESS and (slot.is_branch or is_met)

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
            due = {slot.next_stage for slot in slots} & self._models.keys()
            if not due:
                return
            for name in [name for name in self._models if name in due]:
                begun = time.perf_counter()
                count = self._models[name].run(slots)
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


def _keep_times(slots: Sequence[Slot], spent: Spent) -> None:
    """Let the records that go on elsewhere carry their times."""
    for slot in slots:
        record = slot.record
        if record is not None and not slot.is_done and not record.begun_ms:
            slot.record = record.replace(begun_ms=spent.begun_ms, preprocess_ms=spent.preprocess_ms)
