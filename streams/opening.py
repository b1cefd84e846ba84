"""Open the steps of a group: what its stages need and nothing else, with errors that name the step and its place."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from headrace.core.plan.plan import ModelPlan, Plan, StepPlan
from headrace.core.plan.stages import GroupPlan, StagePlan
from headrace.streams.bisect import Retries
from headrace.streams.branch import Branches
from headrace.streams.egress import STAGE as EGRESS
from headrace.streams.egress import Deliver
from headrace.streams.fallback import Fallback
from headrace.streams.inference import ModelStage
from headrace.streams.ingress import STAGE as INGRESS
from headrace.streams.ingress import Address, Change, Decode, Route, Split
from headrace.streams.live import Live
from headrace.streams.meter import Meter
from headrace.streams.model_version import open_version
from headrace.streams.opened import opened
from headrace.streams.pipe import Pipe
from headrace.streams.steps import EgressSteps, IngressSteps

__all__ = ["Opener", "open_pipe"]


class Opener:
    """Opens steps one by one and remembers how to close them.

    Args:
        plan: what they are for.
        threads: processor threads that each may keep busy.
        retries: how often a step's failing records are tried again.
    """

    def __init__(self, plan: Plan, threads: int, retries: Retries) -> None:
        self.plan, self.retries = plan, retries
        self._threads = threads
        self.closing = ExitStack()

    def opened(self, step: StepPlan) -> Any:
        """Return the step, ready for its first batch.

        Raises:
            StepOpenError: HR604, it failed to load with an error that is not its own clear one.
            HeadraceError: its own error, with its place in the file.
        """
        return opened(step, self.plan.context(step.name, self._threads), self.closing)

    def changes(self, stage: str, steps: Sequence[StepPlan]) -> list[Change]:
        """Return the legs of preprocess or postprocess steps."""
        return [Change(stage, step.spec.name, self.opened(step), self.retries) for step in steps]

    def ingress(self, live: Live) -> IngressSteps:
        """Return the steps before the models."""
        plan, codec = self.plan, self.plan.input.codec
        splitter, route = plan.splitter, plan.route
        split = None
        if splitter is not None:
            call = self.opened(splitter).split
            split = Split(INGRESS, splitter.spec.name, call, self.retries, live=live)
        preprocess = Branches(
            self.changes(INGRESS, plan.preprocess),
            {
                key: self.changes(INGRESS, variant.preprocess)
                for key, variant in plan.variants.items()
                if variant.preprocess is not None
            },
        )
        routes = Branches(
            [self._route(route)] if route is not None else [],
            {key: [self._route(variant.route)] for key, variant in plan.variants.items() if variant.route is not None},
        )
        decode = Decode(self._codec(), codec.spec.name, plan.input.intake)
        return IngressSteps(decode, split, preprocess, routes if route is not None else None, Address(plan, live))

    def model(self, stage: StagePlan, live: Live) -> ModelStage:
        """Return a model's stage with the version that the plan names."""
        plan = self.model_plan(stage)
        found = ModelStage(
            stage,
            plan.step.spec.name,
            self.retries,
            lambda: live.state.stopped_models,
            lambda version: open_version(self.plan, plan, stage, version, self._threads),
        )
        version, closing = plan.facts.version, ExitStack()
        self.closing.callback(found.close)
        context = self.plan.context(plan.step.name, self._threads, version=version, shard=stage.shard)
        try:
            found.load(version, opened(plan.step, context, closing), closing)
        except BaseException:
            closing.close()
            raise
        return found

    def model_plan(self, stage: StagePlan) -> ModelPlan:
        """Return the model of a stage."""
        return dict(self.plan.model_plans())[stage.base]

    def egress(self) -> EgressSteps:
        """Return the steps after the models."""
        plan = self.plan
        changed = {
            key: variant.postprocess for key, variant in plan.variants.items() if variant.postprocess is not None
        }
        postprocess = Branches(
            self.changes(EGRESS, plan.postprocess),
            {key: self.changes(EGRESS, steps) for key, steps in changed.items()},
            lambda record: record.postprocess_of,
        )
        names = [output.name for output in plan.outputs]
        deliver = [Deliver(output, self.opened(output.step), self.retries, names) for output in plan.outputs]
        return EgressSteps(postprocess, deliver)

    def _codec(self) -> Any:
        plan = self.plan
        codec, intake = self.opened(plan.input.codec), plan.input.intake
        if hasattr(codec, "keeps_values"):  # one of ours that may leave them away
            codec.keeps_values = bool(intake.unit or intake.text or intake.needs_text or len(plan.groups) > 1)
        return codec

    def _route(self, step: StepPlan) -> Route:
        return Route(INGRESS, step.spec.name, self.opened(step).route, self.retries, joins=bool(self.plan.joins))


def open_pipe(plan: Plan, group: GroupPlan, *, threads: int, retries: Retries, meter: Meter, live: Live) -> Pipe:
    """Open every step of a group: models load, hashes are checked.

    Raises:
        StepOpenError: HR604, a step failed to load with an error that is not its own clear one.
        HeadraceError: a step's own error, with the place of the step in the file.
    """
    opener = Opener(plan, threads, retries)
    kinds = {stage.kind for stage in group.stages}
    try:
        return Pipe(
            plan,
            opener.ingress(live) if "ingress" in kinds else None,
            {stage.name: opener.model(stage, live) for stage in group.stages if stage.kind == "model"},
            opener.egress() if "egress" in kinds else None,
            live=live,
            meter=meter,
            closing=opener.closing,
            fallback=None if plan.delivery.fallback is None else Fallback(plan.delivery.fallback),
        )
    except BaseException:
        opener.closing.close()
        raise
