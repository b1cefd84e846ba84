"""The pipe of every group of a plan in one process, with lists for links: what several processes do, without Kafka."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from headrace.core.plan.plan import Plan
from headrace.core.plan.stages import EGRESS
from headrace.core.record import Message, Position
from headrace.core.wire.kept import state_topic
from headrace.core.wire.state import StateReader
from headrace.streams.bisect import Retries
from headrace.streams.hold import Held, Holding, HoldRules
from headrace.streams.join import Joiner
from headrace.streams.link import Outbound
from headrace.streams.live import Live
from headrace.streams.meter import Meter
from headrace.streams.opening import open_pipe
from headrace.streams.pipe import Pipe
from headrace.streams.slot import Slot
from tests.support.made import message

__all__ = ["Processes", "same_always", "through"]

TIMED = ("time", "timings", "plan")


class Processes:
    """The pipe of every group, with lists for links."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.live = plan, Live(plan)
        self.closing = ExitStack()
        self.pipes: dict[str, Pipe] = {}
        for group in plan.groups.values():
            self.pipes[group.name] = open_pipe(
                plan, group, threads=1, retries=Retries(limit=0), meter=Meter("reviews"), live=self.live
            )
            self.pipes[group.name].read_anew()
            self.closing.callback(self.pipes[group.name].close)
        self.readers = {stage.reads: stage for stage in plan.stages if stage.reads}
        self.state = StateReader()
        self.rules = HoldRules.of(plan.delivery)
        self.holdings = {stage.name: Holding(self.rules) for stage in plan.stages}
        self.outbounds = {stage.name: Outbound(plan, stage.name) for stage in plan.stages}
        self.joiner: Joiner | None = None
        if plan.keeps_state:
            self.joiner = Joiner(
                state_topic(plan.pipeline),
                Meter("reviews"),
                is_cut=self.rules.cuts,
                in_turn=plan.delivery.order == "key",
                skipped=lambda: self.live.state.skipped_records.get(EGRESS, ()),
            )
        self.held: list[Held] = []
        self.parked: dict[str, list[Message]] = {}
        self.dead: dict[int, Any] = {}
        self.results: dict[int, Mapping[str, Any]] = {}
        self.ends: list[int] = []
        self.hops: list[str] = []

    def run(self, topic: str, messages: Sequence[Message]) -> None:
        """Take messages through the stage that reads the topic, and everything that follows but for parked topics."""
        stage = self.readers[topic]
        joiner, holding = self.joiner if stage.name == EGRESS else None, self.holdings[stage.name]
        entry = self.pipes[stage.group].entry(stage.name, self.outbounds[stage.name], joiner, holding)
        outcome = entry(messages)
        self.held += outcome.held
        for slot in outcome.slots:
            self._end(slot)
        if joiner is not None:
            joiner.delivered(outcome.slots)
        calls = [sent for slot in outcome.slots for name, sent in slot.outgoing if name == "call"]
        self.hops += [shipment.message.topic for shipment in outcome.shipments]
        for number, sent in enumerate([*calls, *(shipment.message for shipment in outcome.shipments)]):
            parked = self.parked.get(sent.topic)
            offset = number if parked is None else len(parked)
            frame = message(sent.value, position=Position(sent.topic, sent.partition or 0, offset))
            if parked is None:
                self.run(sent.topic, [frame])
            else:
                parked.append(frame)

    def _end(self, slot: Slot) -> None:
        for failure in slot.failures:
            self.dead[slot.source.offset] = failure
            self.ends.append(slot.source.offset)
        for name, sent in slot.outgoing:
            if name == "state":
                self.state.add(sent.key, sent.value)
            elif name != "call":
                self.results[slot.source.offset] = json.loads(sent.value or b"")
                self.ends.append(slot.source.offset)
        for sent in slot.closing:
            self.state.add(sent.key, sent.value)


def through(made: Processes, texts: Sequence[str], first: int = 0, **fields: Any) -> Processes:
    """Publish texts from this offset on, and take them to their ends."""
    values = [json.dumps({"text": text}).encode() for text in texts]
    positions = [Position("reviews", 0, first + at) for at in range(len(texts))]
    made.run("reviews", [message(value, position=at, **fields) for value, at in zip(values, positions, strict=True)])
    return made


def same_always(results: Mapping[int, Mapping[str, Any]]) -> dict[int, dict[str, Any]]:
    """Return what of results must not depend on processes."""
    return {at: {name: each for name, each in body.items() if name not in TIMED} for at, body in results.items()}
