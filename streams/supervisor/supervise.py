"""Keep several children alive until a signal comes or one of them cannot run; then end all of them cleanly."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

from headrace.core.errors import HeadraceError
from headrace.streams.cli.output import error_lines
from headrace.streams.supervisor.child import ChildSpec
from headrace.streams.supervisor.errors import WorkerFailedError, WorkersNotStoppedError
from headrace.streams.supervisor.keeper import Keeper
from headrace.streams.supervisor.state import StateFile
from headrace.streams.supervisor.voice import Voice

__all__ = ["supervise"]

PATIENCE_S = 35.0  # a worker gives itself 25 s to drain, and 5 s to say goodbye
HURRY_S = 5.0
_WELL = (0, -signal.SIGTERM)  # by the signal itself: it was still starting, and had nothing in flight


def supervise(
    children: Sequence[ChildSpec],
    *,
    form: Literal["text", "json"] = "text",
    facts: Mapping[str, str] = {},
    state_file: Path | None = None,
    patience_s: float = PATIENCE_S,
) -> int:
    """Run the children until SIGTERM or Ctrl-C, and return the exit code: 0, all ended well; 1, the last line says why.

    A signal sends all children SIGTERM at once; a second one sends it again, so that they hurry; a third one kills.
    Call it in the main thread: it takes signals, and children die with the thread that started them.

    Args:
        children: what to run; each name once.
        form: of the log on stderr: `text` puts a name before each line, `json` passes lines that are JSON unchanged.
        facts: what JSON lines of the supervisor's own carry, such as the pipeline.
        state_file: where to write down what the children do; `state.read_states` reads it.
        patience_s: seconds that the children have to end before they are killed.
    """
    voice, states = Voice([spec.name for spec in children], form=form, facts=facts), StateFile(state_file)
    try:
        return asyncio.run(_Supervisor(children, voice, states, patience_s).run())
    finally:
        voice.close()
        states.close()


class _Supervisor:
    def __init__(self, specs: Sequence[ChildSpec], voice: Voice, states: StateFile, patience_s: float) -> None:
        self._voice, self._patience_s = voice, patience_s
        self._told = asyncio.Event()
        self._keepers = [Keeper(spec, self._told, voice, states) for spec in specs]
        self._signals = 0
        self._killing: asyncio.TimerHandle | None = None

    async def run(self) -> int:
        self._listen()
        lives = [asyncio.create_task(keeper.keep()) for keeper in self._keepers]
        await asyncio.wait(lives, return_when=asyncio.FIRST_COMPLETED)
        if not self._told.is_set():
            self._voice.say("a worker cannot run; stopping the others", "error")
            self._end()
        failed = [it for it in await asyncio.gather(*lives, return_exceptions=True) if isinstance(it, Exception)]
        if self._killing is not None:
            self._killing.cancel()
        return self._conclude(failed)

    def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        for sign in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            if sign != signal.SIGHUP or signal.getsignal(sign) != signal.SIG_IGN:  # nohup
                loop.add_signal_handler(sign, self._take_signal)

    def _take_signal(self) -> None:
        self._signals += 1
        if self._signals == 1:
            self._voice.say(f"stopping: the workers have {self._patience_s:g} s to end what is in flight")
            self._end()
        elif self._signals == 2:
            self._voice.say(f"hurrying: what does not end within {HURRY_S:g} s is killed")
            self._signal(signal.SIGTERM)
            self._kill_after(min(HURRY_S, self._patience_s))
        else:
            self._signal(signal.SIGKILL)

    def _end(self) -> None:
        if not self._told.is_set():
            self._told.set()
            self._signal(signal.SIGTERM)
            self._kill_after(self._patience_s)

    def _kill_after(self, seconds: float) -> None:
        if self._killing is not None:
            self._killing.cancel()
        self._killing = asyncio.get_running_loop().call_later(seconds, self._signal, signal.SIGKILL)

    def _signal(self, sign: int) -> None:
        for keeper in self._keepers:
            keeper.signal(sign)

    def _conclude(self, failed: Sequence[Exception]) -> int:
        errors = [error for error in failed if isinstance(error, WorkerFailedError)]
        if len(errors) < len(failed):
            raise next(error for error in failed if error not in errors)
        told = [*self._not_well(), *errors]
        for error in told:
            self._voice.say(" ".join(error_lines(error)), "error", code=error.code)
        if not told:
            count = len(self._keepers)
            self._voice.say(f"stopped: {f'all {count} workers' if count > 1 else 'the worker'} ended well")
        return 1 if told else 0

    def _not_well(self) -> Iterator[HeadraceError]:
        deaths = {keeper.name: keeper.last_death for keeper in self._keepers if keeper.last_death is not None}
        bad = [f"{name} {death.cause}" for name, death in deaths.items() if death.code not in _WELL]
        if bad:
            fault = f"{len(bad)} of {len(self._keepers)} workers did not end well: {', '.join(bad)}"
            yield WorkersNotStoppedError(fault)
