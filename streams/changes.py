"""Follows the control topic for one worker: what is stopped, paused or skipped, the phases, the versions of models."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from hashlib import sha256

from headrace.core.control import Settings
from headrace.core.errors import HeadraceError
from headrace.core.experiments.experiment import HOLDOUT, Experiment
from headrace.core.plan.plan import Plan
from headrace.core.plan.stages import GroupPlan
from headrace.core.wire.control import ExperimentPhase, PlanSeen, setting_key
from headrace.streams.control.reader import ControlReader
from headrace.streams.control.writer import now, set_settings
from headrace.streams.live import Live
from headrace.streams.pipe import Pipe
from headrace.streams.versions import Versions

__all__ = ["Changes"]

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0


class Changes:
    """Keeps a worker's `Live` in step with the control topic.

    Args:
        plan: what runs.
        group: the stages of this process.
        bootstrap: the broker.
        control: reads the topic.
        live: what is kept in step.
        pipe: the opened steps; new versions of models are loaded into it.
        instance: what tells this worker from others.
    """

    def __init__(
        self,
        plan: Plan,
        group: GroupPlan,
        bootstrap: str,
        *,
        control: ControlReader,
        live: Live,
        pipe: Pipe,
        instance: str,
    ) -> None:
        self._plan, self._bootstrap, self._control, self._live = plan, bootstrap, control, live
        self._is_ingress = any(stage.kind == "ingress" for stage in group.stages)
        self._instance = instance
        self._versions = Versions(plan, group, bootstrap, live=live, pipe=pipe, instance=instance)
        self._changed = asyncio.Event()

    async def begin(self) -> bool:
        """Read everything, put it in force, and note the plan; returns whether another plan ran before this one.

        Raises:
            BrokerUnreachableError: HR201.
        """
        settings = await self._control.read_whole()
        self._apply(settings)
        seen = settings.plans()
        newest = max(seen, key=lambda name: seen[name].time, default=self._plan.hash)
        if self._is_ingress:
            wanted: dict[str, ExperimentPhase | PlanSeen] = dict(self._due_phases(settings))
            if newest != self._plan.hash or not seen:
                wanted[setting_key(PlanSeen, plan=self._plan.hash)] = PlanSeen(time=now())
            if wanted:
                await set_settings(self._bootstrap, self._plan.pipeline, wanted, who=self._instance, why="start")
                self._apply(await self._control.read_whole())
        return newest != self._plan.hash

    async def follow(self) -> None:
        """Keep on until cancelled."""
        reading = asyncio.create_task(self._control.follow(self._on_change))
        try:
            while True:
                await self._look()
                try:
                    await asyncio.wait_for(self._changed.wait(), LOOK_EVERY_S)
                except TimeoutError:
                    continue
                self._changed.clear()
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    def _on_change(self, settings: Settings, keys: frozenset[str]) -> None:
        for key in sorted(keys):
            if not key.startswith(("ready/", "switched/", "plan/")):
                log.info("changed: %s is %s", key, "as it was at first" if settings.value(key) is None else "set")
        self._apply(settings)
        self._changed.set()

    async def _look(self) -> None:
        try:
            is_switched = await self._versions.look(self._control.settings)
            if is_switched and self._is_ingress:
                phases = self._due_phases(self._control.settings)
                if phases:
                    await set_settings(
                        self._bootstrap, self._plan.pipeline, phases, who=self._instance, why="a model changed"
                    )
        except (HeadraceError, OSError, TimeoutError) as error:
            log.warning("a change has to wait: %s", error)

    def _apply(self, settings: Settings) -> None:
        self._live.change(
            phases={**settings.phases(), HOLDOUT: 1},
            stopped_models=frozenset(settings.stopped_models()),
            stopped_experiments=frozenset(settings.stopped_experiments()),
            paused=settings.paused(),
            skips={
                stage: {partition: (skip.first, skip.until) for partition, skip in skips.items()}
                for stage, skips in settings.skips().items()
            },
        )

    def _due_phases(self, settings: Settings) -> dict[str, ExperimentPhase]:
        """Return the phases that begin now: of experiments that are new, or whose weights or models changed."""
        due = {}
        for experiment in self._plan.experiments:
            if experiment.keeps_out:
                continue
            mark = self._fingerprint(experiment, self._live.state.versions)
            before = settings.phase(experiment.id)
            if before is None or before.fingerprint != mark:
                phase = ExperimentPhase(phase=1 if before is None else before.phase + 1, fingerprint=mark)
                due[setting_key(ExperimentPhase, experiment=experiment.id)] = phase
                log.info("experiment %s is in phase %d", experiment.id, phase.phase)
        return due

    def _fingerprint(self, experiment: Experiment, versions: Mapping[str, str]) -> str:
        """Return a hash of what must not change within a phase: who meets which variant, and its own models."""
        own = {
            variant.stage(model): versions.get(variant.stage(model))
            for (name, _), variant in self._plan.variants.items()
            if name == experiment.id
            for model in variant.models
        }
        facts = [experiment.seed, experiment.variants, [round(weight, 9) for weight in experiment.weights], own]
        return sha256(json.dumps(facts, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()[:12]
