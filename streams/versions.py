"""Moves a running pipeline to another version of a model, and never mixes two.

An alias that moved is seen on the control topic. Every worker that hosts a stage of the model loads the new version
beside the old one and says that it is ready. Ingress routes new records to it once all of them are, and says where the
links ended at that moment; records that were routed before keep the old version, which is let go once they are through.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from headrace.core.control import Settings
from headrace.core.errors import HeadraceError
from headrace.core.plan.compile import compile_file
from headrace.core.plan.plan import ModelPlan, Plan
from headrace.core.plan.stages import GroupPlan, StagePlan
from headrace.core.step import ModelFacts, model_facts
from headrace.core.wire.control import ModelReady, ModelSwitch, setting_key
from headrace.streams.access.connection import Connection
from headrace.streams.control.writer import now, set_settings
from headrace.streams.live import Live
from headrace.streams.machine import free_memory_bytes, usable_cores
from headrace.streams.members import live_instances
from headrace.streams.observer import Observer
from headrace.streams.offsets import committed_offsets, end_offsets
from headrace.streams.opening import opened
from headrace.streams.pipe import Pipe

__all__ = ["Versions"]

log = logging.getLogger(__name__)


class _Wanted(NamedTuple):
    """A version that an alias stands for now: of which model's stage, and what is known of it."""

    base: str
    plan: ModelPlan
    facts: ModelFacts

    @property
    def model(self) -> str:
        return self.facts.version.partition("@")[0]

    @property
    def number(self) -> str:
        return self.facts.version.partition("@")[2]


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
        self._told: dict[str, str] = {}
        self._observer = Observer(connection, "versions")
        self.phases: Callable[[Mapping[str, str]], Mapping[str, int]] = lambda versions: {}
        """Returns the phases that go with these versions: they change in the same moment."""
        self._facts: dict[tuple[str, str], ModelFacts | None] = {}

    async def look(self, settings: Settings) -> bool:
        """Do what is due now; returns whether new records are routed to another version since."""
        aliases = {reference: int(version) for reference, version in settings.aliases().items() if version.isdigit()}
        is_switched = False
        for base, model in self._plan.model_plans():
            wanted = await asyncio.to_thread(self._wanted, base, model, aliases)
            if wanted is None:
                continue
            await self._prepare(wanted, settings)
            if self._is_ingress and self._instance not in settings.switched(wanted.model, wanted.number):
                is_switched |= await self._switch(wanted, settings, aliases)
            await self._let_go(wanted, settings)
        return is_switched

    async def close(self) -> None:
        """Let go of the broker; the next look connects anew."""
        await self._observer.close()

    def _wanted(self, base: str, model: ModelPlan, aliases: dict[str, int]) -> _Wanted | None:
        """Return what the model's alias stands for; None when it has none that was moved, or one that is not there."""
        reference = model.facts.reference
        if reference is None or reference not in aliases:
            return None
        key = base, f"{reference}={aliases[reference]}"
        if key not in self._facts:
            context = replace(self._plan.context(model.step.name), aliases=aliases)
            try:
                self._facts[key] = model_facts(model.step.bind(), context)
            except HeadraceError as error:
                log.warning("%s cannot become version %d: %s", reference, aliases[reference], error)
                self._facts[key] = None
        facts = self._facts[key]
        return None if facts is None else _Wanted(base, model, facts)

    async def _prepare(self, wanted: _Wanted, settings: Settings) -> None:
        """Load the version into every stage of it that this process has, and say that it is ready, or why not."""
        for stage in self._group.stages:
            key = self._ready_key(stage, wanted.model, wanted.number)
            if stage.base != wanted.base or stage.kind != "model":
                continue
            if self._told.get(stage.name) == key and settings.value(key) is not None:
                continue
            ready = ModelReady(ok=True, time=now())
            if wanted.facts.version not in self._pipe.models[stage.name].versions:
                try:
                    await asyncio.to_thread(self._load, stage, wanted)
                    log.info("%s is loaded for %s, beside the old version", wanted.facts.version, stage.name)
                except HeadraceError as error:
                    log.warning("%s cannot run %s: %s", stage.name, wanted.facts.version, error)
                    ready = ModelReady(ok=False, why=str(error), time=now())
            await self._write(key, ready)
            self._told[stage.name] = key

    def _ready_key(self, stage: StagePlan, model: str, version: str) -> str:
        return setting_key(ModelReady, model=model, version=version, stage=stage.name, instance=self._instance)

    def _load(self, stage: StagePlan, wanted: _Wanted) -> None:
        facts, before = wanted.facts, wanted.plan.facts
        if len(facts.shards) != len(before.shards):
            raise HeadraceError(
                f"{facts.version} has {max(1, len(facts.shards))} parts, the running plan {max(1, len(before.shards))}",
                mend="stop the pipeline and run the file anew",
            )
        size = facts.shards[stage.shard].size_bytes if stage.shard is not None else facts.size_bytes
        free = free_memory_bytes()
        if free is not None and size > free:
            raise HeadraceError(
                f"{facts.version} needs about {size:,} bytes beside the old version, and {free:,} are free",
                mend="give the worker more memory, or restart it with the new version",
            )
        stack = ExitStack()
        context = self._plan.context(wanted.plan.step.name, usable_cores(), version=facts.version, shard=stage.shard)
        try:
            step = opened(wanted.plan.step, context, stack)
        except BaseException:
            stack.close()
            raise
        self._pipe.models[stage.name].load(facts.version, step, stack)

    async def _switch(self, wanted: _Wanted, settings: Settings, aliases: dict[str, int]) -> bool:
        """Route new records to the version, if every live worker of its stages is ready."""
        ready = settings.ready(wanted.model, wanted.number)
        stages = [stage for stage in self._plan.stages if stage.base == wanted.base and stage.kind == "model"]
        for stage in stages:
            alive = await live_instances(self._observer, self._plan.groups[stage.group].app_id)
            if not alive or not all((found := ready.get((stage.name, one))) and found.ok for one in alive):
                return False
        is_new = self._live.state.versions[wanted.base] != wanted.facts.version
        plan = await asyncio.to_thread(self._recompiled, aliases)
        versions = {**self._live.state.versions, wanted.base: wanted.facts.version}
        state = self._live.state
        self._live.change(
            versions=versions, plan=plan.hash if plan else state.plan, phases=self.phases(versions) or state.phases
        )
        # Batches that were routed before are sent before the ends are asked for: the executor takes one at a time.
        await self._pipe.settle()
        ends = {stage.name: await end_offsets(self._observer, stage.reads) for stage in stages if stage.reads}
        key = setting_key(ModelSwitch, model=wanted.model, version=wanted.number, instance=self._instance)
        await self._write(key, ModelSwitch(ends=ends, time=now()))
        if is_new:
            log.info("new records go to %s of %s", wanted.facts.version, wanted.base)
        return is_new

    async def _let_go(self, wanted: _Wanted, settings: Settings) -> None:
        """Unload other versions once every ingress worker has switched and what lay before is through."""
        mine = [stage for stage in self._group.stages if stage.base == wanted.base and stage.kind == "model"]
        others = {
            stage.name: [one for one in self._pipe.models[stage.name].versions if one != wanted.facts.version]
            for stage in mine
        }
        if not any(others.values()):
            return
        switched = settings.switched(wanted.model, wanted.number)
        ingress = next(stage for stage in self._plan.stages if stage.kind == "ingress")
        alive = await live_instances(self._observer, self._plan.groups[ingress.group].app_id)
        if not alive or not set(alive) <= set(switched):
            return
        for stage in mine:
            if stage.reads is not None:
                done = await committed_offsets(self._observer, stage.consumer_group, stage.reads)
                ends = [switch.ends.get(stage.name, {}) for switch in switched.values()]
                if any(done.get(partition, 0) < end for each in ends for partition, end in each.items()):
                    continue
            await self._pipe.settle()
            for version in others[stage.name]:
                await asyncio.to_thread(self._pipe.models[stage.name].unload, version)
                log.info("%s is let go of %s", version, stage.name)

    def _recompiled(self, aliases: dict[str, int]) -> Plan | None:
        try:
            return compile_file(Path(self._plan.file), registry=self._plan.registry, aliases=aliases)
        except HeadraceError as error:  # the file was changed since; its worker will say so when it starts
            log.warning("the plan's hash stays, since the file cannot be read anew: %s", error)
            return None

    async def _write(self, key: str, value: ModelReady | ModelSwitch) -> None:
        await set_settings(self._connection, self._plan.pipeline, {key: value}, who=self._instance, why="promote")
