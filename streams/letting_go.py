"""When a worker lets a version of a model go: once no record can come for it any more."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence, Set
from functools import partial

from headrace.core.control import Settings
from headrace.core.plan.plan import Plan
from headrace.core.plan.stages import StagePlan
from headrace.streams.answers import ready_key
from headrace.streams.members import live_instances
from headrace.streams.observer import Observer
from headrace.streams.offsets import committed_offsets, end_offsets
from headrace.streams.pipe import Pipe
from headrace.streams.version_move import VersionMove

__all__ = ["LettingGo"]

log = logging.getLogger(__name__)

IDLE_S = 60.0
"""How long a version that was loaded for records of an earlier plan stays after the last of them."""


class LettingGo:
    """Unloads versions of one worker's models.

    Args:
        plan: what runs.
        stages: the model stages of this worker.
        pipe: holds the loaded versions.
        observer: asks the broker.
        instance: what tells this worker from others.
    """

    def __init__(self, plan: Plan, stages: Sequence[StagePlan], pipe: Pipe, observer: Observer, instance: str) -> None:
        self._plan, self._stages, self._pipe = plan, stages, pipe
        self._observer, self._instance = observer, instance
        self._passed: dict[tuple[str, ...], dict[str, Mapping[int, int]]] = {}

    async def after(self, move: VersionMove, settings: Settings) -> list[str]:
        """Unload other versions once every ingress worker has switched and what lay before is through.

        Returns the keys under which this worker said that it has them.
        """
        mine = [stage for stage in self._stages if stage.base in move.bases]
        if not any(self._others(stage, {move.version}) for stage in mine):
            return []
        switched = settings.switched(move.model, move.number)
        ingress = next(stage for stage in self._plan.stages if stage.kind == "ingress")
        alive = await live_instances(self._observer, self._plan.groups[ingress.group].app_id)
        if not alive or not set(alive) <= set(switched):
            return []
        gone = []
        for stage in mine:
            if await self._is_through(stage, (move.version, *sorted(switch.time for switch in switched.values()))):
                await self._pipe.settle()
                gone += await self._unload(stage, self._others(stage, {move.version}))
        return gone

    async def idle(self, moved: Set[str], routed: Mapping[str, str], settings: Settings) -> list[str]:
        """Unload what was loaded for records of an earlier plan, once no more of them have come for a while.

        Args:
            moved: bases whose alias was moved: of those, `after` knows more.
            routed: base -> the version that this process would route to.
            settings: say what ingress routes to.

        Returns the keys under which this worker said that it has them.
        """
        newest = settings.newest_plan()
        noted = newest[1].facts.get("versions", {}) if newest is not None else {}
        planned = {base: model.facts.version for base, model in self._plan.model_plans()}
        gone = []
        for stage in (stage for stage in self._stages if stage.base not in moved):
            kept = {planned[stage.base], routed.get(stage.base), noted.get(stage.base)}
            idle = self._pipe.models[stage.name].idle(IDLE_S)
            gone += await self._unload(stage, [one for one in self._others(stage, kept) if one in idle])
        return gone

    async def _is_through(self, stage: StagePlan, switch: tuple[str, ...]) -> bool:
        """Whether all that was routed before the switch has passed a stage.

        Its own link alone would not tell: what lies on links before it comes to it later. So each link on the way, in
        order, is taken at its end once the ones before it are read to theirs.
        """
        passed = self._passed.setdefault(switch, {})
        way = self._plan.stages[: self._plan.stages.index(stage) + 1] if stage in self._plan.stages else (stage,)
        for link in way:
            if link.reads is None or link.kind == "ingress":
                continue
            if link.name not in passed:
                passed[link.name] = await end_offsets(self._observer, link.reads)
            done = await committed_offsets(self._observer, link.consumer_group, link.reads)
            if any(done.get(partition, 0) < end for partition, end in passed[link.name].items()):
                return False
        return True

    def _others(self, stage: StagePlan, kept: Set[str | None]) -> list[str]:
        return [one for one in self._pipe.models[stage.name].versions if one not in kept]

    async def _unload(self, stage: StagePlan, versions: Iterable[str]) -> list[str]:
        gone = []
        for version in versions:
            await self._pipe.between(partial(self._pipe.models[stage.name].unload, version))
            log.info("%s is let go of %s", version, stage.name)
            if "@" in version:
                gone.append(ready_key(stage.name, version, self._instance))
        return gone
