"""Names for the workers of one supervisor: the same after each restart, and no two alike at one time."""

from __future__ import annotations

import hashlib
import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

from headrace.streams.broker.lock import locked
from headrace.streams.home import writable

__all__ = ["worker_prefix"]

_HOST_LENGTH = 40  # a Kafka instance id takes 249 characters: the name of a group and of a stage follow
_FOREIGN = re.compile(r"[^a-zA-Z0-9._-]+")


@contextmanager
def worker_prefix(home: Path, pipeline: str) -> Iterator[tuple[str, Path]]:
    """Hold a name that begins those of all workers of this process, `<host>-<4 hex of the folder>-<slot>`.

    Also gives the file where the supervisor of that name keeps its state. The slot is the first that nobody holds, so a
    supervisor that is started again finds the name that it had, and a second one beside it gets another.

    Raises:
        FolderError: HR403, nothing can be written to the state folder.
    """
    folder = writable(home / "run")
    with ExitStack() as held:
        slot = next(at for at in count() if _take(folder / f"{pipeline}.{at}.lock", held))
        yield f"{_host()}-{_fingerprint(home)}-{slot}", folder / f"{pipeline}.{slot}.json"


class _TakenError(Exception):
    """Somebody holds the lock."""


def _take(path: Path, held: ExitStack) -> bool:
    """Take the lock if it is free, and hold it with the others; whether it was free."""
    try:
        held.enter_context(locked(path, on_wait=_refuse))
    except _TakenError:
        return False
    return True


def _refuse() -> None:
    raise _TakenError


def _host() -> str:
    return _FOREIGN.sub("-", socket.gethostname())[:_HOST_LENGTH].strip("-.") or "host"


def _fingerprint(home: Path) -> str:
    return hashlib.sha256(str(home.resolve()).encode(errors="surrogateescape")).hexdigest()[:4]
