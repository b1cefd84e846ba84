"""What the embedded broker says: its log, and the line of it that tells why it ended."""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from itertools import takewhile
from os import SEEK_END, SEEK_SET, fstat
from pathlib import Path
from typing import TextIO

__all__ = ["follow", "last_words", "rotate", "tail", "telling"]

LOG, CONSOLE = "kafka.log", "console.log"
POLL_SECONDS = 0.2
LOOK_BACK_LINES = 200  # a failed start logs some 60 lines of shutting down after the error itself
STAMP = re.compile(r"\[\d{4}-\d\d-\d\d ")
ERROR = re.compile(r"\] (ERROR|FATAL) |^Terminating due to ")
STACK = re.compile(r"\s+at |\s*\.\.\. \d+ more")


def rotate(logs: Path) -> None:
    """Put the last run's log aside, so that what is read from now on is of this run."""
    for older, newer in (("kafka.3.log", "kafka.2.log"), ("kafka.2.log", "kafka.1.log"), ("kafka.1.log", LOG)):
        with suppress(FileNotFoundError):
            (logs / newer).replace(logs / older)


def tail(logs: Path, count: int) -> list[str]:
    """Return the last lines of this run: Kafka's log, then what Java itself printed."""
    lines: deque[str] = deque(maxlen=count)
    for name in (LOG, CONSOLE):
        with suppress(FileNotFoundError), (logs / name).open(errors="replace") as file:
            lines.extend(line.rstrip("\n") for line in file)
    return list(lines)


def follow(logs: Path) -> Iterator[str]:
    """Yield the lines that Kafka's log gets from now on, over restarts and rotations, without end."""
    path, whence = logs / LOG, SEEK_END
    while True:
        with suppress(FileNotFoundError), path.open(errors="replace") as file:
            file.seek(0, whence)
            yield from _lines(path, file)
        whence = SEEK_SET  # what comes next under this name is new from its first line
        time.sleep(POLL_SECONDS)


def last_words(logs: Path) -> str:
    """Return the line of the log that best says how this run ended; empty without a log."""
    return telling(tail(logs, LOOK_BACK_LINES))


def telling(lines: list[str]) -> str:
    """Return the cause of the last error among the lines, else the last line that is no part of a stack trace."""
    spoken = [line for line in lines if line.strip() and not STACK.match(line)]
    errors = [at for at, line in enumerate(spoken) if ERROR.search(line)]
    return _cause(spoken[errors[-1] :]) if errors else _cleaned(spoken[-1]) if spoken else ""


def _cause(block: list[str]) -> str:
    """Return the root cause of an error: its last "Caused by", else its exception, else its own line."""
    own = list(takewhile(lambda line: not STAMP.match(line), block[1:]))
    causes = [line for line in own if line.startswith("Caused by: ")]
    return _cleaned(causes[-1] if causes else (own or block)[0])


def _cleaned(line: str) -> str:
    """Return the line without its time and without the class that logged it."""
    line = re.sub(r"^\[[^]]*\] |^Caused by: ", "", line)
    return re.sub(r" \([\w.$]+\)$", "", line).strip()[:500]


def _lines(path: Path, file: TextIO) -> Iterator[str]:
    """Yield whole lines until the path names another file and this one is drained."""
    begun = ""
    while True:
        is_replaced = _replaced(path, file)  # before it is read: what is written since must not be taken for its end
        line = begun + file.readline()
        begun = "" if line.endswith("\n") else line
        if line and not begun:
            yield line.rstrip("\n")
        elif is_replaced:
            return
        else:
            time.sleep(POLL_SECONDS)


def _replaced(path: Path, file: TextIO) -> bool:
    try:
        return path.stat().st_ino != fstat(file.fileno()).st_ino
    except FileNotFoundError:
        return True
