"""Logs of a worker: text for people, JSON for programs; never a payload, and no line a thousand times.

aiokafka writes about a hundred lines a second while a broker is away, so equal lines are held back for a while.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable
from typing import Literal

__all__ = ["LogFormat", "RepeatFilter", "set_up_logs"]

LogFormat = Literal["text", "json"]

_NOISY = {"aiokafka": logging.WARNING, "faust": logging.WARNING, "mode": logging.WARNING, "kafka": logging.WARNING}
_HOLD_S = 10.0
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


class RepeatFilter(logging.Filter):
    """Lets a line through once in a while; the next one that passes says how many were held back."""

    def __init__(self, hold_s: float = _HOLD_S, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._hold_s, self._clock = hold_s, clock
        self._seen: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line passes; by its template, since an outage changes only the numbers in it."""
        if record.levelno < logging.WARNING:
            return True
        key, now = (record.name, str(record.msg)[:80]), self._clock()
        last, held = self._seen.get(key, (-float("inf"), 0))
        if now - last < self._hold_s:
            self._seen[key] = (last, held + 1)
            return False
        if held:
            record.msg = f"{record.getMessage()} ({held} more like this in {now - last:.0f} s)"
            record.args = ()
        self._seen[key] = (now, 0)
        return True


class _TextFormatter(logging.Formatter):
    def __init__(self, facts: dict[str, str]) -> None:
        where = " ".join(facts.values())
        super().__init__(f"%(asctime)s %(levelname)-7s {where.replace('%', '%%')} %(message)s", "%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        return super().format(record).replace("\x1b", "\\x1b")


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
