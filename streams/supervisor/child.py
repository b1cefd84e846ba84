"""One child: its process, tied to ours, and its output, read to the last byte."""

from __future__ import annotations

import asyncio
import os
import re
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from headrace.streams.supervisor.lines import Lines
from headrace.streams.supervisor.ready import VARIABLE
from headrace.streams.supervisor.restart import Death
from headrace.streams.supervisor.voice import Voice

__all__ = ["Child", "ChildSpec", "start"]

TETHER = Path(__file__).with_name("tether.py")
CHUNK = 1 << 16
OUTPUT_S = 0.5  # what a dead child wrote lies in the pipe already; only a child of its own could keep the pipe open
_REMEMBERED = 20
_CODE = re.compile(r"\bHR\d{3}\b")
_MESSAGE = re.compile(rb'"message": ?("(?:[^"\\]|\\.)*")')


class ChildSpec(NamedTuple):
    """A child to keep alive.

    Attributes:
        name: what its lines and messages are headed by, such as `main`, `expert-1`, `expert-1.2`.
        argv: its program and arguments.
        env: all of its environment.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]


class Output:
    """What a child writes, passed on line by line by a thread of its own until the pipe ends."""

    def __init__(self, name: str, fd: int, voice: Voice, on_end: Callable[[], None]) -> None:
        self._name, self._fd, self._voice, self._on_end = name, fd, voice, on_end
        self._last: deque[bytes] = deque(maxlen=_REMEMBERED)
        threading.Thread(target=self._pump, name=f"output of {name}", daemon=True).start()

    @property
    def last_words(self) -> str:
        """The last line with an error's code among its last lines, else the last one."""
        said = [text for line in list(self._last) if (text := _message(line))]
        coded = [text for text in said if _CODE.search(text)]
        return (coded or said or [""])[-1]

    def _pump(self) -> None:
        lines = Lines()
        with open(self._fd, "rb", buffering=0) as pipe:
            while chunk := pipe.read(CHUNK):
                self._pass_on(lines.feed(chunk))
        self._pass_on(lines.rest())
        self._on_end()

    def _pass_on(self, lines: Sequence[bytes]) -> None:
        self._last.extend(lines[-_REMEMBERED:])
        self._voice.pass_on(self._name, lines)


class Child:
    """A process that runs; `start` makes one."""

    def __init__(self, process: asyncio.subprocess.Process, output: Output, heard: asyncio.Event) -> None:
        self._process, self._output, self._heard = process, output, heard
        self._begun = time.monotonic()
        self.is_ready = False

    @property
    def pid(self) -> int:
        """Its process id, which is also that of its session."""
        return self._process.pid

    @property
    def age_s(self) -> float:
        """Seconds since it was started."""
        return time.monotonic() - self._begun

    def signal(self, sign: int) -> None:
        """Send it a signal; one that has ended takes none."""
        with suppress(ProcessLookupError):
            self._process.send_signal(sign)

    async def death(self) -> Death:
        """Wait for its end, and for its last words."""
        code, lived_s = await self._process.wait(), self.age_s
        with suppress(TimeoutError):
            await asyncio.wait_for(self._heard.wait(), OUTPUT_S)
        return Death(code, lived_s, self.is_ready, self._output.last_words)


async def start(spec: ChildSpec, voice: Voice, on_ready: Callable[[Child], None]) -> Child:
    """Start a child in a session of its own, so that Ctrl-C does not reach it; it dies with this thread at the latest.

    A program that cannot be started is a child that says so and ends with 126 or 127.
    """
    loop, heard = asyncio.get_running_loop(), asyncio.Event()
    output_from, output_to = os.pipe()
    ready_from, ready_to = os.pipe()
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", str(TETHER), str(os.getpid()), *spec.argv),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output_to,
            stderr=output_to,
            env={**spec.env, VARIABLE: str(ready_to)},
            pass_fds=[ready_to],
            start_new_session=True,
        )
    except BaseException:
        for fd in (output_from, ready_from):
            os.close(fd)
        raise
    finally:
        for fd in (output_to, ready_to):
            os.close(fd)

    def on_end() -> None:
        with suppress(RuntimeError):  # the loop is closed; nobody waits any more
            loop.call_soon_threadsafe(heard.set)

    child = Child(process, Output(spec.name, output_from, voice, on_end), heard)

    def on_word() -> None:
        loop.remove_reader(ready_from)
        child.is_ready = os.read(ready_from, 1) != b""  # nothing: it closed the pipe, or has ended
        os.close(ready_from)
        if child.is_ready:
            on_ready(child)

    loop.add_reader(ready_from, on_word)
    return child


def _message(line: bytes) -> str:
    """Return what a line says: the message of a JSON one, the text of others."""
    found = _MESSAGE.search(line) if line.startswith(b"{") else None
    if found:
        import json

        with suppress(ValueError):
            return str(json.loads(found[1])).strip()
    return line.decode(errors="backslashreplace").strip()
