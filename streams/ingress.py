"""The ingress stage: messages become records, are split, changed, and get their routing slip."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from headrace.core.errors import StepContractError
from headrace.core.experiments.experiment import Assigned
from headrace.core.plan.plan import Plan, VariantPlan
from headrace.core.record import Content, Message, Record
from headrace.core.routing.decision import Candidate, Decision, decision_fault
from headrace.core.routing.slip import Slip
from headrace.core.step import Codec
from headrace.core.wire.incoming import Intake, refuse_unreadable, to_record
from headrace.streams.bisect import Trap, as_failure, owed
from headrace.streams.branch import Variant, met
from headrace.streams.deadline import expired, is_late
from headrace.streams.leg import Leg
from headrace.streams.live import Live
from headrace.streams.slot import Slot

__all__ = ["STAGE", "Address", "Change", "Decode", "Route", "Split"]

STAGE = "ingress"


class Decode:
    """Reads each message with the codec. Messages fail one by one, so there is nothing to bisect."""

    def __init__(self, codec: Codec, plugin: str, intake: Intake) -> None:
        self._codec, self._plugin, self._intake = codec, plugin, intake
        self._decode_all: Callable[[Sequence[Message]], Any] | None = getattr(codec, "decode_all", None)

    def run(self, slots: Sequence[Slot], now_ms: float) -> None:
        """Give each slot its record; what cannot be read fails, what has expired says so."""
        due = [(slot, slot.message) for slot in slots if slot.message is not None and slot.failure is None]
        left = iter(zip(due, self._contents([message for _, message in due]), strict=True))
        while True:
            with Trap() as trap:
                for (slot, message), content in left:
                    slot.record = self._record(message, content, now_ms)
            if trap.error is None:
                return
            slot.fail(as_failure(trap.error, stage=STAGE, plugin=self._plugin))

    def _record(self, message: Message, content: Content | None, now_ms: float) -> Record:
        if content is None:
            refuse_unreadable(message, self._intake)
            content = self._codec.decode(message)
        record = to_record(message, content, self._intake)
        return expired(record, now_ms) if is_late(record, now_ms) else record

    def _contents(self, messages: Sequence[Message]) -> Sequence[Content | None]:
        """Return what the codec reads of all messages at once; None for each when it does not, or one is no good."""
        if self._decode_all is not None and messages:
            with Trap():  # whose fault it was is found out when they are read one by one
                for message in messages:
                    refuse_unreadable(message, self._intake)
                contents: Sequence[Content] | None = self._decode_all(messages)
                if contents is not None:
                    return owed(contents, len(messages))
        return [None] * len(messages)


class Split(Leg):
    """Asks the splitter which variants each record meets."""

    def __init__(self, *leg: Any, live: Live) -> None:
        super().__init__(*leg)
        self._live = live

    def changed(self, record: Record, answer: Any) -> Record:
        """Return the record with its variants: none of stopped experiments, each with its present phase.

        What it met is told whatever becomes of it, so it is stamped with the plan already here.

        Raises:
            StepContractError: HR603, it is no tuple of assignments.
        """
        if not isinstance(answer, tuple | list) or not all(isinstance(one, Assigned) for one in answer):
            raise StepContractError(
                f"the splitter returned {type(answer).__name__}, not Assigned", mend="return a tuple of them"
            )
        if not answer:
            return record
        state = self._live.seen
        kept = tuple(
            one if (phase := state.phases.get(one.id, one.phase)) == one.phase else Assigned(one.id, phase, one.variant)
            for one in answer
            if one.id not in state.stopped_experiments
        )
        return record.replace(experiments=kept, plan=state.plan)


class Change(Leg):
    """Runs a preprocess or postprocess step: each record becomes the changed one."""

    def changed(self, record: Record, answer: Any) -> Record:
        """Return the changed record.

        Raises:
            StepContractError: HR603, it is no record, or another one: then results would go to the wrong ids.
        """
        is_unchanged = answer is record
        if is_unchanged:
            return record
        if not isinstance(answer, Record):
            raise StepContractError(f"the step returned {type(answer).__name__}, not a Record", mend="return a Record")
        if answer.id != record.id or answer.source != record.source:
            raise StepContractError(
                f"the step returned record {answer.id!r} for {record.id!r}", mend="keep order, id and source"
            )
        return answer


class Route(Leg):
    """Asks the router and gives each record its slip."""

    def __init__(self, *leg: Any, joins: bool) -> None:
        super().__init__(*leg)
        self._joins = joins
        self._last: Slip | None = None

    def changed(self, record: Record, answer: Any) -> Record:
        """Return the record with its slip.

        Raises:
            StepContractError: HR603, it is no decision, or one that cannot be followed.
        """
        if self._last is not None and answer is self._last.decision:  # most routers decide alike of many records
            return msgspec.structs.replace(record, slip=self._last)
        if not isinstance(answer, Decision):
            raise StepContractError(f"the router returned {type(answer).__name__}, not a Decision", mend="return one")
        fault = decision_fault(answer)
        if fault is not None:
            raise StepContractError(f"the router {fault}", mend="see the fields of Decision")
        if answer.combine == "parallel" and not self._joins:
            raise StepContractError(
                "the router asks several models at once and did not say so beforehand", mend="name it in `joins()`"
            )
        self._last = Slip(policy=self.plugin, decision=answer)
        return record.replace(slip=self._last)


class Address:
    """Writes into each slip where its models are: the stage, the version that new records get, the number of parts."""

    def __init__(self, plan: Plan, live: Live) -> None:
        self._live = live
        self._parts = {base: max(1, len(model.facts.shards)) for base, model in plan.model_plans()}
        self._known = plan.models
        self._stages = {stage.name: stage for stage in plan.stages}
        self._changed: Mapping[Variant, VariantPlan] = {
            key: variant for key, variant in plan.variants.items() if variant.models
        }
        self._post = {key: variant for key, variant in plan.variants.items() if variant.postprocess is not None}

    def run(self, slots: Sequence[Slot]) -> None:
        """Address every record that has a slip; one whose router chose a model that there is not, fails.

        Records of one slip get one slip again.
        """
        made: dict[tuple[int, Variant | None], Slip] = {}
        changed, post, plan = self._changed, self._post, self._live.seen.plan
        for slot in slots:
            record = slot.record
            if record is None or record.slip is None or not record.is_live:
                continue
            change = met(record, changed) if changed else None
            key = id(record.slip), change
            slip = made.get(key)
            if slip is None:
                decision = record.slip.decision
                stranger = next((each.model for each in decision.steps if each.model not in self._known), None)
                if stranger is not None:
                    error = StepContractError(
                        f"the router chose model {stranger!r}", mend="choose one of the pipeline's models"
                    )
                    slot.fail(as_failure(error, stage=STAGE, plugin=record.slip.policy))
                    continue
                new = self._addressed(decision, changed[change] if change else None)
                slip = made[key] = msgspec.structs.replace(record.slip, decision=new)
            variant = met(record, post) if post else None
            slot.record = msgspec.structs.replace(record, slip=slip, plan=plan, postprocess_of=variant)

    def _addressed(self, decision: Decision, change: VariantPlan | None) -> Decision:
        state = self._live.seen
        steps = [self._candidate(each, change, state.versions) for each in decision.steps]
        if decision.combine == "cascade" and state.stopped_models:  # the others of a cascade can answer in its place
            left = [each for each in steps if each.model not in state.stopped_models]
            if left and len(left) < len(steps) and self._is_way(left):
                return _without(decision, steps, left)
        return msgspec.structs.replace(decision, steps=tuple(steps))

    def _is_way(self, steps: Sequence[Candidate]) -> bool:
        """Whether records can go from each to the next: links are only where the file's own orders need them."""
        group = self._stages[STAGE].group
        for each in steps:
            first, last = each.stages[0], each.stages[-1]
            if self._stages[first].reads is None and self._stages[first].group != group:
                return False
            group = self._stages[last].group
        return True

    def _candidate(self, candidate: Candidate, change: VariantPlan | None, versions: Mapping[str, str]) -> Candidate:
        model = candidate.model
        base = change.stage(model) if change is not None and model in change.models else model
        version = candidate.version or versions[base]
        return msgspec.structs.replace(candidate, stage=base, version=version, parts=self._parts[base])


def _without(decision: Decision, steps: Sequence[Candidate], left: list[Candidate]) -> Decision:
    """Return the cascade of what is left; whoever is the last one now answers whatever its score."""
    left[-1] = msgspec.structs.replace(left[-1], accept_if=None)
    stopped = [each.model for each in steps if each.model not in {one.model for one in left}]
    reason = f"{' and '.join(stopped)} {'is' if len(stopped) == 1 else 'are'} stopped"
    return msgspec.structs.replace(decision, steps=tuple(left), reason=reason)
