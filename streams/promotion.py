"""Move an alias of a running pipeline to another version, and wait until every worker has followed, or take it back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import NamedTuple

from headrace.core.config.suggestion import suggest
from headrace.core.control import Settings
from headrace.core.plan.plan import Plan
from headrace.core.plan.stages import StagePlan
from headrace.core.wire.control import AliasMove, Setting, setting_key
from headrace.streams.access.connection import Connection
from headrace.streams.answers import answers_of, gone_answers
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
    old, new = _routed(before, move), str(move.version)

    async def put(setting: AliasMove, *gone: str, reason: str = why) -> None:
        changes: dict[str, Setting | None] = {**dict.fromkeys(gone), move.key: setting}
        await set_settings(connection, plan.pipeline, changes, who=who, why=reason)

    async with ControlReader(connection, plan.pipeline) as control, Observer(connection, "promote") as observer:
        following = _Following(plan, move, control, observer)
        is_running = any((await following.alive()).values())
        # What workers said of this version when it was in force some time ago must not count now.
        stale = [] if old == new else answers_of(before, move.model, new)
        if not is_running:
            await put(AliasMove(version=new), *stale)
            return False
        try:
            await put(AliasMove(version=new, before=old if old != new else ""), *stale)
            await following.wait(timeout_s, tell)
            await put(AliasMove(version=new), *await following.gone())
        except BaseException as error:  # Ctrl-C among them, until the broker has the last word of it
            reason = f"taken back: {error}" if isinstance(error, NotPromotedError) else "taken back"
            again = [] if old == new else answers_of(before, move.model, old)
            await put(AliasMove(version=old), *again, reason=reason)
            tell(f"taken back: {move.reference} is {move.model}@{old}")
            raise
    return True


def _routed(settings: Settings, move: Move) -> str:
    """Return the version that new records are routed to; an earlier move may have been left half-way."""
    target, agreed = (found.get(move.reference) for found in (settings.aliases(), settings.agreed_aliases()))
    if target is not None and settings.switched(move.model, target):
        return target
    return agreed or str(move.registered or move.version)


class _Following:
    """The workers of a running pipeline: whether they have followed, and who is there at all."""

    def __init__(self, plan: Plan, move: Move, control: ControlReader, observer: Observer) -> None:
        self._plan, self._move, self._control, self._observer = plan, move, control, observer

    async def alive(self) -> dict[str, frozenset[str]]:
        """Return the live workers of each group."""
        return {name: await live_instances(self._observer, group.app_id) for name, group in self._plan.groups.items()}

    async def gone(self) -> list[str]:
        """Return the keys under which workers that are no more said something of versions."""
        return gone_answers(await self._control.read_whole(), self._plan, await self.alive())

    async def wait(self, timeout_s: float, tell: Callable[[str], object]) -> None:
        """Wait until every live worker has followed, and tell whenever something else is awaited.

        Raises:
            NotPromotedError: HR231, a worker cannot, or not in time.
        """
        give_up, told = time.monotonic() + timeout_s, ""
        while (awaited := await self._awaited()) is not None:
            if awaited != told:
                tell(awaited)
                told = awaited
            if time.monotonic() > give_up:
                fault = f"not within {timeout_s:g} s: {awaited}"
                raise NotPromotedError(fault, mend="look at the log of that worker, or wait longer")
            await asyncio.sleep(LOOK_EVERY_S)

    async def _awaited(self) -> str | None:
        """Return what is awaited still; None when every live worker has followed.

        Raises:
            NotPromotedError: HR231, a worker cannot.
        """
        move = self._move
        settings, alive = await self._control.read_whole(), await self.alive()
        ready = settings.ready(move.model, str(move.version))
        for stage in self._stages():
            here = alive[stage.group]
            if not here:
                return f"no worker of {stage.name} runs"
            for instance in sorted(here):
                said = ready.get((stage.name, instance))
                if said is not None and not said.ok:
                    raise NotPromotedError(
                        f"{instance} cannot run {stage.name} with {move.model}@{move.version}: {said.why}",
                        mend="mend that and promote again; the version before it goes on",
                    )
            late = sorted(one for one in here if (stage.name, one) not in ready)
            if late:
                return f"{', '.join(late)} loads {move.model}@{move.version} for {stage.name}"
        here = alive[next(stage.group for stage in self._plan.stages if stage.kind == "ingress")]
        late = sorted(here - settings.switched(move.model, str(move.version)).keys())
        return f"{', '.join(late) or 'ingress'} has to route new records to it" if late or not here else None

    def _stages(self) -> list[StagePlan]:
        bases = {base for base, model in self._plan.model_plans() if model.facts.reference == self._move.reference}
        return [stage for stage in self._plan.stages if stage.kind == "model" and stage.base in bases]
