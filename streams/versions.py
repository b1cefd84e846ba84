"""Moves a running pipeline to another version of a model, and never mixes two.

An alias that moved is seen on the control topic. Every worker that hosts a stage of the model loads the new version
beside the old one and says that it is ready. Ingress routes new records to it once all of them are, and says where the
links ended at that moment; records that were routed before keep the old version, which is let go once they are through.

A worker that dies in the middle begins with the old version, as `streams.moved` says, and takes over from there: what
its predecessor said under the same name counts for the others, but it says all of it anew.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from headrace.core.control import Settings
from headrace.core.errors import HeadraceError
from headrace.core.plan.compile import compile_file
from headrace.core.plan.plan import Plan
from headrace.core.plan.stages import GroupPlan, StagePlan
from headrace.core.wire.control import ModelReady, ModelSwitch, setting_key
from headrace.streams.access.connection import Connection
from headrace.streams.answers import gone_answers, ready_key
from headrace.streams.control.writer import now, set_settings
from headrace.streams.letting_go import LettingGo
from headrace.streams.live import Live
from headrace.streams.members import live_instances
from headrace.streams.observer import Observer
from headrace.streams.offsets import end_offsets
from headrace.streams.pipe import Pipe
from headrace.streams.version_move import VersionMove, VersionMoves, moved_numbers

__all__ = ["Versions"]

log = logging.getLogger(__name__)


class Versions:
    """One worker's part in it.

    Args:
        plan: what runs.
        group: the stages of this process.
        connection: the broker.
        live: says which version new records are routed to.
        pipe: holds the loaded versions.
        instance: what tells this worker from others.
    """

    def __init__(
        self, plan: Plan, group: GroupPlan, connection: Connection, *, live: Live, pipe: Pipe, instance: str
    ) -> None:
        self._plan, self._group, self._connection = plan, group, connection
        self._live, self._pipe, self._instance = live, pipe, instance
        self._is_ingress = any(stage.kind == "ingress" for stage in group.stages)
        self._mine = [stage for stage in group.stages if stage.kind == "model"]
        self._told: dict[str, str] = {}
        self._switched: dict[tuple[str, ...], str] = {}
        self._is_tidy = False
        self._observer = Observer(connection, "versions", is_wary=True)
        self.phases: Callable[[Mapping[str, str]], Mapping[str, int]] = lambda versions: {}
        """Returns the phases that go with these versions: they change in the same moment."""
        self._moves = VersionMoves(plan)
        self._letting_go = LettingGo(plan, self._mine, pipe, self._observer, instance)

    async def begin(self, settings: Settings) -> None:
        """Take over where the workers are by now, before the first record: some may route to a new version already."""
        aliases = moved_numbers(settings)
        for move in await asyncio.to_thread(self._moves.of, aliases):
            if not settings.switched(move.model, move.number) or not await self._has(move.bases, move.version):
                continue
            if self._is_ingress and any(self._live.state.versions[base] != move.version for base in move.bases):
                log.info("new records go to %s, as those of the worker before did", move.version)
                self._route(move, await asyncio.to_thread(self._recompiled, aliases))

    async def preload(self, versions: Mapping[str, str]) -> dict[str, str]:
        """Load what ingress routes to beside what this worker has; returns what cannot be loaded, and why, by base."""
        faults = {}
        for base in {stage.base for stage in self._mine}:
            version = versions.get(base)
            if version is None or await self._has((base,), version):
                continue
            faults[base] = (
                f"ingress routes to {version} of {base}, and this worker has {self._live.state.versions[base]}"
            )
        return faults

    async def look(self, settings: Settings) -> bool:
        """Do what is due now; returns whether new records are routed to another version since."""
        aliases = moved_numbers(settings)
        is_switched = False
        moves = await asyncio.to_thread(self._moves.of, aliases)
        for move in moves:
            for stage in self._stages(move):
                await self._prepare(stage, move, settings)
            if self._is_ingress and not self._has_switched(move, settings):
                is_switched |= await self._switch(move, settings, aliases)
            await self._forget(await self._letting_go.after(move, settings), settings)
        moved = {base for move in moves for base in move.bases}
        await self._forget(await self._letting_go.idle(moved, self._live.state.versions, settings), settings)
        await self._tidy(settings)
        return is_switched

    async def close(self) -> None:
        """Let go of the broker; the next look connects anew."""
        await self._observer.close()

    def _stages(self, move: VersionMove) -> list[StagePlan]:
        return [stage for stage in self._mine if stage.base in move.bases]

    async def _has(self, bases: Iterable[str], version: str) -> bool:
        """Load a version into this worker's own stages of these models, and return whether all have it then."""
        for stage in (stage for stage in self._mine if stage.base in bases):
            try:
                if await asyncio.to_thread(self._pipe.models[stage.name].ensure, version):
                    log.info("%s is loaded for %s, as records may come for it", version, stage.name)
            except HeadraceError as error:
                log.warning("%s cannot run %s: %s", stage.name, version, error)
                return False
        return True

    async def _prepare(self, stage: StagePlan, move: VersionMove, settings: Settings) -> None:
        """Load the version into a stage that this process has, and say that it is ready, or why not."""
        key = ready_key(stage.name, move.version, self._instance)
        if self._told.get(stage.name) == key and settings.value(key) is not None:
            return
        ready = ModelReady(ok=True, time=now())
        try:
            if await asyncio.to_thread(self._pipe.models[stage.name].ensure, move.version):
                log.info("%s is loaded for %s, beside the old version", move.version, stage.name)
        except HeadraceError as error:
            log.warning("%s cannot run %s: %s", stage.name, move.version, error)
            ready = ModelReady(ok=False, why=str(error), time=now())
        await self._write({key: ready})
        self._told[stage.name] = key

    def _switch_key(self, move: VersionMove) -> str:
        return setting_key(ModelSwitch, model=move.model, version=move.number, instance=self._instance)

    def _has_switched(self, move: VersionMove, settings: Settings) -> bool:
        """Whether this process, not one before it of the same name, routes to it and has said so."""
        if any(self._live.state.versions[base] != move.version for base in move.bases):
            return False
        key = self._switch_key(move)
        return self._switched.get(move.bases) == key and settings.value(key) is not None

    async def _switch(self, move: VersionMove, settings: Settings, aliases: Mapping[str, int]) -> bool:
        """Route new records to the version, if every live worker of its stages is ready."""
        ready = settings.ready(move.model, move.number)
        stages = [stage for stage in self._plan.stages if stage.base in move.bases and stage.kind == "model"]
        for stage in stages:
            alive = await live_instances(self._observer, self._plan.groups[stage.group].app_id)
            if not alive or not all((found := ready.get((stage.name, one))) and found.ok for one in alive):
                return False
        is_new = any(self._live.state.versions[base] != move.version for base in move.bases)
        plan = await asyncio.to_thread(self._recompiled, aliases) if is_new else None
        key = self._switch_key(move)
        before = [one for one in self._own_switches(settings, move.model) if one != key]
        # Said before the first record is routed, and after the last one before it is committed: whoever starts in our
        # place by then routes no record anew to another version than we did.
        async with self._pipe.held():
            await self._pipe.settle()
            ends = {stage.name: await end_offsets(self._observer, stage.reads) for stage in stages if stage.reads}
            await self._write({**dict.fromkeys(before), key: ModelSwitch(ends=ends, time=now())})
            if is_new:
                self._route(move, plan)
        self._switched[move.bases] = key
        if is_new:
            log.info("new records go to %s of %s", move.version, ", ".join(move.bases))
        return is_new

    def _route(self, move: VersionMove, plan: Plan | None) -> None:
        state = self._live.state
        versions = {**state.versions, **dict.fromkeys(move.bases, move.version)}
        self._live.change(
            versions=versions, plan=plan.hash if plan else state.plan, phases=self.phases(versions) or state.phases
        )

    def _own_switches(self, settings: Settings, model: str) -> Iterator[str]:
        for parts, _ in settings.all_switched():
            if (parts["model"], parts["instance"]) == (model, self._instance):
                yield setting_key(ModelSwitch, **parts)

    async def _forget(self, unloaded: Iterable[str], settings: Settings) -> None:
        """Take away what this worker said of versions that it no longer has."""
        gone = [key for key in unloaded if settings.value(key) is not None]
        if gone:
            await self._write(dict.fromkeys(gone))

    async def _tidy(self, settings: Settings) -> None:
        """Once, as soon as this worker is a member: take away what workers of its group said that are none any more."""
        if self._is_tidy:
            return
        alive = await live_instances(self._observer, self._group.app_id)
        if self._instance not in alive:
            return
        gone = gone_answers(settings, self._plan, {self._group.name: alive})
        if gone:
            await self._write(dict.fromkeys(gone), why="its worker is gone")
        self._is_tidy = True

    def _recompiled(self, aliases: Mapping[str, int]) -> Plan | None:
        try:
            return compile_file(Path(self._plan.file), registry=self._plan.registry, aliases=aliases)
        except HeadraceError as error:  # the file was changed since; its worker will say so when it starts
            log.warning("the plan's hash stays, since the file cannot be read anew: %s", error)
            return None

    async def _write(self, changes: Mapping[str, ModelReady | ModelSwitch | None], why: str = "promote") -> None:
        await set_settings(self._connection, self._plan.pipeline, changes, who=self._instance, why=why)
