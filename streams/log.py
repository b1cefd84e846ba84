"""Logs of a worker: text for people, JSON for programs; never a payload, and no line a thousand times.

aiokafka writes about a hundred lines a second while a broker is away, so equal lines are held back for a while.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from headrace.streams.printable import printable

__all__ = ["LogFormat", "RepeatFilter", "set_up_logs"]

LogFormat = Literal["text", "json"]

_NOISY = {"aiokafka": logging.WARNING, "faust": logging.WARNING, "mode": logging.WARNING, "kafka": logging.WARNING}
_HOLD_S = 10.0
_LONGEST_HOLD_S = 600.0
_REMEMBERED = 1_000  # kinds of lines; a library that puts numbers into its templates makes ever new ones
_KNOWN = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def set_up_logs(form: LogFormat, level: str, **facts: str) -> None:
    """Send all logs to stderr in this form; every line carries the facts (pipeline, stage, worker)."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonFormatter(facts) if form == "json" else _TextFormatter(facts))
    handler.addFilter(RepeatFilter())
    logging.captureWarnings(True)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name, least in _NOISY.items():
        logging.getLogger(name).setLevel(max(least, root.level))


@dataclass
class _Line:
    """A kind of line: when it last passed and was last seen, how long it is held back, how often it was."""

    passed: float
    seen: float
    hold_s: float
    held: int = 0


class RepeatFilter(logging.Filter):
    """Lets a line through once in a while; the next one that passes says how many were held back.

    The while doubles as long as the line keeps coming, so that a broker away for a night fills no disk.
    """

    def __init__(self, hold_s: float = _HOLD_S, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._hold_s, self._clock = hold_s, clock
        self._lines: dict[tuple[str, str], _Line] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line passes; by its template, since an outage changes only the numbers in it."""
        if record.levelno < logging.WARNING:
            return True
        now = self._clock()
        key = (record.name, str(record.msg)[:80])
        line = self._lines.get(key)
        if line is None or now - line.seen > line.hold_s:  # new, or over and back again
            self._remember(key, now)
            return True
        line.seen = now
        if now - line.passed < line.hold_s:
            line.held += 1
            return False
        record.msg = f"{record.getMessage()} ({line.held} more like this in {now - line.passed:.0f} s)"
        record.args = ()
        line.passed, line.held, line.hold_s = now, 0, min(_LONGEST_HOLD_S, line.hold_s * 2)
        return True

    def _remember(self, key: tuple[str, str], now: float) -> None:
        if len(self._lines) >= _REMEMBERED:
            self._lines.clear()
        self._lines[key] = _Line(now, now, self._hold_s)


class _TextFormatter(logging.Formatter):
    def __init__(self, facts: dict[str, str]) -> None:
        where = " ".join(facts.values())
        super().__init__(f"%(asctime)s %(levelname)-7s {where.replace('%', '%%')} %(message)s", "%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own name
        """Return the line; strangers wrote parts of it, so it stays one line and acts on no terminal."""
        record.message = printable(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's own name
        """Return a traceback, whose lines stay lines."""
        return "\n".join(map(printable, super().formatException(ei).split("\n")))


class _JsonFormatter(logging.Formatter):
    def __init__(self, facts: dict[str, str]) -> None:
        super().__init__()
        self._facts = facts

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            **self._facts,
            "logger": record.name,
            "message": record.getMessage(),
            **{name: value for name, value in vars(record).items() if name not in _KNOWN},
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)
