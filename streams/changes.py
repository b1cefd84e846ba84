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
from headrace.streams.plan_note import plan_note, refuse_other_models
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
        refuse_other_models(self._plan, settings.plans())
        await self._versions.begin(settings)
        self._apply(settings)
        before = settings.newest_plan()
        is_changed = before is not None and before[0] != self._live.state.plan
        if not self._is_ingress:
            await self._await_agreement()
            return is_changed
        wanted: dict[str, Setting] = dict(self._phases.due(settings))
        if is_changed or before is None:
            wanted |= self._note()
        while wanted:
            await self._write(wanted, why="start")
            self._apply(await self._control.read_whole())
            wanted = dict(self._phases.due(self._control.settings))  # another worker may have opened that phase first
        return is_changed

    def _note(self) -> dict[str, PlanSeen]:
        """Return what is to be noted of the plan, with the versions that new records are routed to."""
        state = self._live.state
        note = PlanSeen(time=now(), facts={**plan_note(self._plan), "versions": dict(state.versions)})
        return {setting_key(PlanSeen, plan=state.plan): note}

    async def _await_agreement(self) -> None:
        """Load what ingress routes to; if that cannot be, wait a while for an ingress that routes to something else.

        Raises:
            OtherVersionError: HR233, it stays as it is: whatever it sent here could not be run.
        """
        ingress = next(stage.group for stage in self._plan.stages if stage.kind == "ingress")
        give_up, seen, strange = time.monotonic() + AGREE_S, None, {}
        async with Observer(self._connection, "start") as observer:
            while True:
                noted = self._control.settings.newest_plan()
                if noted != seen:
                    strange = await self._versions.preload(noted[1].facts.get("versions", {}) if noted else {})
                    seen = noted
                if not strange or not await live_instances(observer, self._plan.groups[ingress].app_id):
                    return
                if time.monotonic() > give_up:
                    raise OtherVersionError(
                        "; ".join(strange.values()),
                        mend="give it the same registry, or start ingress with this file first",
                    )
                await asyncio.sleep(LOOK_EVERY_S)
                self._apply(await self._control.read_whole())

    async def follow(self) -> None:
        """Keep on until cancelled; an error ends it when the topic can be followed no more."""
        reading = asyncio.create_task(self._control.follow(self._on_change))
        reading.add_done_callback(lambda _: self._changed.set())
        try:
            while True:
                if reading.done():
                    reading.result()
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
                    wanted |= self._note()
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
            skipped_records=settings.skipped_records(),
            full=settings.full(),
        )

    async def _write(self, wanted: Mapping[str, Setting], *, why: str) -> None:
        for key, setting in wanted.items():
            if isinstance(setting, ExperimentPhase):
                log.info("phase %d begins: %s", setting.phase, key)
        if wanted:
            await set_settings(self._connection, self._plan.pipeline, wanted, who=self._instance, why=why)
