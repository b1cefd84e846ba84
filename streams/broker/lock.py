"""Locks between processes: who comes second waits, and a holder that dies lets go."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from headrace.streams.errors import FolderError

__all__ = ["is_held", "locked"]


@contextmanager
def locked(path: Path, *, on_wait: Callable[[], None]) -> Iterator[None]:
    """Hold the lock file's lock; `on_wait` is called once if somebody else has it.

    Raises:
        FolderError: HR403, the lock file cannot be opened.
    """
    try:
        file = path.open("a")
    except OSError as error:
        raise FolderError(path.parent, (error.strerror or str(error)).lower()) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield  # closing the file lets go


def is_held(path: Path) -> bool:
    """Return whether another process holds a POSIX lock on the file, the kind that Java's FileLock takes."""
    try:
        file = path.open("r+")
    except OSError:
        return False
    with file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):  # POSIX leaves it open which of the two says "held"
            return True
    return False
