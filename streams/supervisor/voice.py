"""One log stream for all children: each line under its child's name, and nothing interleaved within a line."""

from __future__ import annotations

import json
import os
import queue
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Literal

from headrace.streams.cli.output import printable

__all__ = ["Voice", "wants_colour"]

OWN = "headrace"
WIDEST = 24
GOODBYE_S = 1.0  # a terminal that was stopped with Ctrl-S must not keep the supervisor from ending

_COLOURS = (36, 33, 32, 35, 34, 96, 93, 92, 95, 94)  # no red: it means trouble to most
_TAB = "    "


def wants_colour(fd: int, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether names get colours there: a terminal that has some, unless NO_COLOR is set (no-color.org)."""
    return os.isatty(fd) and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


class Voice:
    """Writes lines of children and of the supervisor itself, from any thread.

    A reader of the log that is slow makes the children wait, rather than this process grow; the supervisor's own few
    lines never wait, so that it can always be stopped. A reader that has gone is written to no more.

    Args:
        names: of the children.
        form: `text` puts the name before each line; `json` passes JSON lines unchanged and makes JSON of others.
        facts: what each JSON line of the supervisor carries, such as the pipeline.
        fd: where the lines go.
    """

    def __init__(
        self,
        names: Sequence[str],
        *,
        form: Literal["text", "json"] = "text",
        facts: Mapping[str, str] = {},
        fd: int = 2,
    ) -> None:
        self._form, self._facts, self._fd = form, facts, fd
        self._prefixes = _prefixes(names, is_coloured=form == "text" and wants_colour(fd))
        self._lock = threading.Lock()
        self._own: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._speak, name="voice", daemon=True)
        self._thread.start()

    def pass_on(self, name: str, lines: Sequence[bytes]) -> None:
        """Write lines of a child; waits while the reader of the log does not keep up."""
        if lines:
            form = self._json_line if self._form == "json" else self._text_line
            self._write(b"".join(form(name, line) for line in lines))

    def say(self, message: str, level: str = "info", **facts: object) -> None:
        """Write a line of the supervisor's own, soon; never waits."""
        now = time.time()
        if self._form == "json":
            self._own.put(_json(now, level, {**self._facts, **facts}, "headrace.supervisor", message))
        else:
            clock = time.strftime("%H:%M:%S", time.localtime(now))
            self._own.put(self._text_line(OWN, f"{clock} {level.upper():7} {message}".encode(errors="replace")))

    def close(self) -> None:
        """Write what was said until now, if anybody reads it."""
        self._own.put(None)
        self._thread.join(GOODBYE_S)

    def _speak(self) -> None:
        while (line := self._own.get()) is not None:
            self._write(line)

    def _text_line(self, name: str, line: bytes) -> bytes:
        text = line.decode(errors="backslashreplace").replace("\t", _TAB)
        safe = text if text.isprintable() else printable(text)
        return f"{self._prefixes[name]} {safe}\n".encode()

    def _json_line(self, name: str, line: bytes) -> bytes:
        if line.startswith(b"{"):
            try:
                json.loads(line)
            except ValueError:
                pass
            else:
                return line + b"\n"
        text = line.decode(errors="backslashreplace")
        return _json(time.time(), "info", {**self._facts, "worker": name}, "output", text)

    def _write(self, data: bytes) -> None:
        with self._lock:
            view = memoryview(data)
            while view and self._fd >= 0:
                try:
                    view = view[os.write(self._fd, view) :]
                except BlockingIOError:  # somebody made it non-blocking, as a neighbour on the same terminal may
                    time.sleep(0.01)
                except OSError:  # nobody reads any more; the children must not notice
                    self._fd = -1


def _prefixes(names: Sequence[str], *, is_coloured: bool) -> dict[str, str]:
    width = min(WIDEST, max(len(name) for name in (OWN, *names)))
    plain = {name: f"{name:{width}} |" for name in (*names, OWN)}
    if not is_coloured:
        return plain
    codes = {name: str(_COLOURS[at % len(_COLOURS)]) for at, name in enumerate(names)} | {OWN: "1"}
    return {name: f"\x1b[{codes[name]}m{prefix}\x1b[0m" for name, prefix in plain.items()}


def _json(now: float, level: str, facts: Mapping[str, object], logger: str, message: str) -> bytes:
    clock = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1000):03d}Z"
    line = {"time": clock, "level": level, **facts, "logger": logger, "message": message}
    return json.dumps(line, default=str).encode() + b"\n"
