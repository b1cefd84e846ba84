"""Follows the control topic for one worker: what is stopped, paused or skipped, the phases, the versions of models."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping

from aiokafka.errors import KafkaError

from headrace.core.control import Settings
from headrace.core.errors import HeadraceError
from headrace.core.plan.plan import Plan
from headrace.core.plan.stages import GroupPlan
from headrace.core.wire.control import ExperimentPhase, PlanSeen, Setting, setting_key
from headrace.streams.access.connection import Connection
from headrace.streams.control.reader import ControlReader
from headrace.streams.control.writer import now, set_settings
from headrace.streams.errors import OtherVersionError
from headrace.streams.live import Live
from headrace.streams.members import live_instances
from headrace.streams.observer import Observer
from headrace.streams.phases import Phases
from headrace.streams.pipe import Pipe
from headrace.streams.plan_note import other_version, plan_note, refuse_other_models
from headrace.streams.versions import Versions

__all__ = ["Changes"]

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0
AGREE_S = 10.0  # a worker that is killed counts as a member for 6 s


class Changes:
    """Keeps a worker's `Live` in step with the control topic.

    Args:
        plan: what runs.
        group: the stages of this process.
        connection: the broker.
        control: reads the topic.
        live: what is kept in step.
        pipe: the opened steps; new versions of models are loaded into it.
        instance: what tells this worker from others.
    """

    def __init__(
        self,
        plan: Plan,
        group: GroupPlan,
        connection: Connection,
        *,
        control: ControlReader,
        live: Live,
        pipe: Pipe,
        instance: str,
    ) -> None:
        self._plan, self._connection, self._control, self._live = plan, connection, control, live
        self._is_ingress = any(stage.kind == "ingress" for stage in group.stages)
        self._instance, self._group = instance, group
        self._versions = Versions(plan, group, connection, live=live, pipe=pipe, instance=instance)
        self._phases = Phases(plan, live)
        self._versions.phases = lambda versions: self._phases.current(self._control.settings, versions)
        self._changed = asyncio.Event()

    async def begin(self) -> bool:
        """Read everything, put it in force, and note the plan; returns whether another plan ran before this one.

        Raises:
            BrokerUnreachableError: HR201.
            OtherModelError: HR232, a version is here not what it is elsewhere.
            OtherVersionError: HR233, ingress routes to other versions.
        """
        settings = await self._control.read_whole()
        self._apply(settings)
        refuse_other_models(self._plan, settings.plans())
        seen = settings.plans()
        newest = max(seen, key=lambda name: seen[name].time, default=self._plan.hash)
        if not self._is_ingress:
            await self._await_agreement(seen.get(newest))
            return newest != self._plan.hash
        wanted: dict[str, Setting] = dict(self._phases.due(settings))
        if newest != self._plan.hash or not seen:
            note = PlanSeen(time=now(), facts=plan_note(self._plan))
            wanted[setting_key(PlanSeen, plan=self._plan.hash)] = note
        while wanted:
            await self._write(wanted, why="start")
            self._apply(await self._control.read_whole())
            wanted = dict(self._phases.due(self._control.settings))  # another worker may have opened that phase first
        return newest != self._plan.hash

    async def _await_agreement(self, newest: PlanSeen | None) -> None:
        """Wait a while for an ingress that routes to other versions to end; it may be on its way out.

        Raises:
            OtherVersionError: HR233, it stays: whatever it sent here could not be run.
        """
        ingress = next(stage.group for stage in self._plan.stages if stage.kind == "ingress")
        mine = [stage.base for stage in self._group.stages if stage.kind == "model"]
        strange = [fault for base in mine if (fault := other_version(base, self._plan, newest))]
        give_up = time.monotonic() + AGREE_S
        async with Observer(self._connection, "start") as observer:
            while strange and await live_instances(observer, self._plan.groups[ingress].app_id):
                if time.monotonic() > give_up:
                    raise OtherVersionError(
                        "; ".join(strange),
                        mend="start ingress with this file first, or move it with `headrace model promote`",
                    )
                await asyncio.sleep(LOOK_EVERY_S)

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
            await self._versions.close()

    def _on_change(self, settings: Settings, keys: frozenset[str]) -> None:
        for key in sorted(keys):
            if not key.startswith(("ready/", "switched/", "plan/")):
                log.info("changed: %s is %s", key, "as it was at first" if settings.value(key) is None else "set")
        self._apply(settings)
        self._changed.set()

    async def _look(self) -> None:
        try:
            is_switched = await self._versions.look(self._control.settings)
            if self._is_ingress:
                wanted: dict[str, Setting] = dict(self._phases.owed(self._control.settings))
                if is_switched:
                    state = self._live.state
                    note = PlanSeen(time=now(), facts={**plan_note(self._plan), "versions": dict(state.versions)})
                    wanted[setting_key(PlanSeen, plan=state.plan)] = note
                await self._write(wanted, why="a model's version changed")
        except (HeadraceError, KafkaError, OSError, TimeoutError) as error:
            log.warning("a change has to wait: %s", error)
            await self._versions.close()

    def _apply(self, settings: Settings) -> None:
        self._live.change(
            phases=self._phases.current(settings, self._live.state.versions),
            stopped_models=frozenset(settings.stopped_models()),
            stopped_experiments=frozenset(settings.stopped_experiments()),
            paused=settings.paused(),
            skips={
                stage: {partition: (skip.first, skip.until) for partition, skip in skips.items()}
                for stage, skips in settings.skips().items()
            },
        )

    async def _write(self, wanted: Mapping[str, Setting], *, why: str) -> None:
        for key, setting in wanted.items():
            if isinstance(setting, ExperimentPhase):
                log.info("phase %d begins: %s", setting.phase, key)
        if wanted:
            await set_settings(self._connection, self._plan.pipeline, wanted, who=self._instance, why=why)
