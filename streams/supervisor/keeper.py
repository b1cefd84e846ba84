"""One child from the first start to its last end: started again when it dies, until all are told to end."""

from __future__ import annotations

import asyncio
import signal

from headrace.streams.supervisor.child import Child, ChildSpec, start
from headrace.streams.supervisor.errors import WorkerFailedError
from headrace.streams.supervisor.restart import Death, Restarts
from headrace.streams.supervisor.state import StateFile
from headrace.streams.supervisor.voice import Voice

__all__ = ["Keeper"]


class Keeper:
    """Keeps one child alive.

    Args:
        spec: the child.
        told: set when the children shall end.
        voice: says what happens to it.
        states: where it is written down.
    """

    def __init__(self, spec: ChildSpec, told: asyncio.Event, voice: Voice, states: StateFile) -> None:
        self.name = spec.name
        self._spec, self._told, self._voice, self._states = spec, told, voice, states
        self._child: Child | None = None
        self.last_death: Death | None = None
        """How it ended after it was told to; None when it was between two lives then."""

    def signal(self, sign: int) -> None:
        """Send a signal to the child, if it lives."""
        if self._child is not None:
            self._child.signal(sign)

    async def keep(self) -> None:
        """Start the child, and again whenever it ends, until it is told to end and has.

        Raises:
            WorkerFailedError: HR412, starting it again would not help.
        """
        restarts = Restarts()
        while not self._told.is_set():
            death = await self._live()
            if self._told.is_set():
                self.last_death = death
                return
            verdict = restarts.judge(death)
            if verdict.pause_s is None:
                raise _failed(self.name, verdict.reason, death.last_words)
            self._voice.say(f"{self.name} {death}; starting it again in {verdict.pause_s:.1f} s", "warning")
            self._states.note(self.name, "waiting")
            await self._pause(verdict.pause_s)

    async def _live(self) -> Death:
        try:
            child = await start(self._spec, self._voice, self._ready)
        except OSError as error:  # no processes or file descriptors left, for the moment
            return Death(1, 0.0, last_words=str(error))
        self._child = child
        self._states.note(self.name, "starting", pid=child.pid, is_start=True)
        self._voice.say(f"{self.name} started, process {child.pid}")
        if self._told.is_set():  # it came too late to hear of it
            child.signal(signal.SIGTERM)
        death = await child.death()
        self._child = None
        self._states.note(self.name, "ended")
        return death

    def _ready(self, child: Child) -> None:
        self._states.note(self.name, "ready", pid=child.pid)
        self._voice.say(f"{self.name} is ready after {child.age_s:.1f} s")

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._told.wait(), seconds)
        except TimeoutError:
            return


def _failed(name: str, reason: str, last_words: str) -> WorkerFailedError:
    said = f"; it said: {last_words}" if last_words else "; it said nothing"
    return WorkerFailedError(f"worker {name!r} {reason}, so all were stopped{said}")
