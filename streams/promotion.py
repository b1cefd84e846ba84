"""Move an alias of a running pipeline to another version, and wait until every worker has followed, or take it back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from headrace.core.config.suggestion import suggest
from headrace.core.control import Settings
from headrace.core.plan.plan import Plan
from headrace.core.plan.stages import StagePlan
from headrace.core.wire.control import AliasMove, ModelReady, ModelSwitch, Setting, setting_key
from headrace.streams.access.connection import Connection
from headrace.streams.control.errors import NeverRunError, UnknownTargetError
from headrace.streams.control.reader import ControlReader
from headrace.streams.control.writer import read_settings, set_settings
from headrace.streams.errors import NotPromotedError
from headrace.streams.members import live_instances
from headrace.streams.observer import Observer

__all__ = ["Move", "move_alias", "refuse_unused"]

LOOK_EVERY_S = 0.3


class Move(NamedTuple):
    """What is to be moved: `model@alias` to a version, from the one that the registry says."""

    model: str
    alias: str
    version: int
    registered: int | None = None

    @property
    def reference(self) -> str:
        """How files name it."""
        return f"{self.model}@{self.alias}"

    @property
    def key(self) -> str:
        """The key of its setting."""
        return setting_key(AliasMove, model=self.model, alias=self.alias)


def refuse_unused(plan: Plan, reference: str) -> None:
    """Refuse an alias that no model of the plan is named by.

    Raises:
        UnknownTargetError: HR439.
    """
    used = sorted({model.facts.reference for _, model in plan.model_plans() if model.facts.reference})
    if reference not in used:
        aliases = [one for one in used if not one.partition("@")[2].isdigit()]
        mend = suggest(reference, aliases, "aliases") if aliases else "name a model by an alias in the file"
        raise UnknownTargetError(f"no model of the pipeline is {reference!r}", mend=mend)


async def move_alias(
    connection: Connection,
    plan: Plan,
    move: Move,
    *,
    timeout_s: float,
    tell: Callable[[str], object],
    who: str,
    why: str,
) -> bool:
    """Move it, and return whether a running pipeline followed; False when none runs and the next one will.

    Raises:
        NotPromotedError: HR231, a worker cannot load the version, or not in time; the alias is what it was.
        BrokerUnreachableError: HR201.
    """
    try:
        before = await read_settings(connection, plan.pipeline)
    except NeverRunError:
        return False
    old = before.aliases().get(move.reference, str(move.registered or move.version))
    # What workers said of this version when it was in force some time ago must not count now.
    stale = [] if old == str(move.version) else list(_answers(before, move))
    changes: dict[str, Setting | None] = {**dict.fromkeys(stale), move.key: AliasMove(version=str(move.version))}
    await set_settings(connection, plan.pipeline, changes, who=who, why=why)
    try:
        async with ControlReader(connection, plan.pipeline) as control, Observer(connection, "promote") as observer:
            if not await _is_running(observer, plan):
                return False
            await _Waiting(plan, move, control, observer).followed(timeout_s, tell)
    except BaseException as error:
        reason = f"taken back: {error}" if isinstance(error, NotPromotedError) else "taken back"
        await set_settings(connection, plan.pipeline, {move.key: AliasMove(version=old)}, who=who, why=reason)
        raise
    return True


def _answers(settings: Settings, move: Move) -> Iterator[str]:
    version = str(move.version)
    for stage, instance in settings.ready(move.model, version):
        yield setting_key(ModelReady, model=move.model, version=version, stage=stage, instance=instance)
    for instance in settings.switched(move.model, version):
        yield setting_key(ModelSwitch, model=move.model, version=version, instance=instance)


async def _is_running(observer: Observer, plan: Plan) -> bool:
    for group in plan.groups.values():
        if await live_instances(observer, group.app_id):
            return True
    return False


class _Waiting:
    """Waits until every live worker has followed; its connections are kept meanwhile."""

    def __init__(self, plan: Plan, move: Move, control: ControlReader, observer: Observer) -> None:
        self._plan, self._move, self._control, self._observer = plan, move, control, observer

    async def followed(self, timeout_s: float, tell: Callable[[str], object]) -> None:
        """Wait, and tell whenever something else is awaited.

        Raises:
            NotPromotedError: HR231, a worker cannot, or not in time.
        """
        give_up, told = time.monotonic() + timeout_s, ""
        while (waiting := await self._awaited()) is not None:
            if waiting != told:
                tell(waiting)
                told = waiting
            if time.monotonic() > give_up:
                fault = f"not within {timeout_s:g} s: {waiting}"
                raise NotPromotedError(fault, mend="look at the log of that worker, or wait longer")
            await asyncio.sleep(LOOK_EVERY_S)

    async def _awaited(self) -> str | None:
        """Return what is awaited still; None when every live worker has followed.

        Raises:
            NotPromotedError: HR231, a worker cannot.
        """
        plan, move = self._plan, self._move
        settings = await self._control.read_whole()
        ready = settings.ready(move.model, str(move.version))
        for (name, instance), said in ready.items():
            if not said.ok:
                raise NotPromotedError(
                    f"{instance} cannot run {name} with {move.model}@{move.version}: {said.why}",
                    mend="mend that and promote again; the version before it goes on",
                )
        for stage in _stages(plan, move):
            alive = await live_instances(self._observer, plan.groups[stage.group].app_id)
            if not alive:
                return f"no worker of {stage.name} runs"
            late = sorted(one for one in alive if (stage.name, one) not in ready)
            if late:
                return f"{', '.join(late)} loads {move.model}@{move.version} for {stage.name}"
        ingress = next(stage for stage in plan.stages if stage.kind == "ingress")
        alive = await live_instances(self._observer, plan.groups[ingress.group].app_id)
        late = sorted(alive - settings.switched(move.model, str(move.version)).keys())
        if late or not alive:
            return f"{', '.join(late) or 'ingress'} has to route new records to it"
        return None


def _stages(plan: Plan, move: Move) -> list[StagePlan]:
    bases = {base for base, model in plan.model_plans() if model.facts.reference == move.reference}
    return [stage for stage in plan.stages if stage.kind == "model" and stage.base in bases]
