"""Start, find and stop the embedded broker: a real Apache Kafka in one Java process that outlives the command."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from headrace.streams.broker import process
from headrace.streams.broker.container import in_container
from headrace.streams.broker.errors import BrokerLockedError, ContainerBrokerError, PortTakenError
from headrace.streams.broker.folders import Folders
from headrace.streams.broker.jars import kafka_jars
from headrace.streams.broker.java import find_java
from headrace.streams.broker.launch import Launcher, await_answer
from headrace.streams.broker.lock import is_held, locked
from headrace.streams.broker.log import last_words
from headrace.streams.broker.port import USUAL, choose
from headrace.streams.broker.state import Running, Started, forget, read
from headrace.streams.home import writable

__all__ = ["Progress", "obituary", "start", "status", "stop"]

Progress = Callable[[str], None]

TRIES = 3  # a port is found free two seconds before Kafka opens it


def start(home: Path, *, port: int | None = None, progress: Progress | None = None) -> Running:
    """Return the embedded broker of a state folder, started if need be; it serves clients when this returns.

    Any number of callers at once start one. The broker outlives the caller; its data outlives the broker.

    Args:
        home: the state folder; the broker lives in its folder `broker`.
        port: where to listen; None means 9092, or any free port when that is taken; 0 means any free port.
            A broker that runs already keeps its own.
        progress: told what is being waited for, a phrase at a time.

    Raises:
        ContainerBrokerError: HR223, this is a container.
        MachineError: no Java (HR401), port taken (HR402), folder not writable (HR403), package `jgo` missing
            (HR404), jars not to be had (HR405).
        BrokerError: Kafka ended (HR221), gave no answer (HR222), refused its data folder (HR224) or shares it (HR225).
    """
    if in_container():
        raise ContainerBrokerError
    say = progress or _silent
    folders = Folders.of(home)
    writable(folders.root)
    with locked(folders.lock, on_wait=lambda: say("another command starts or stops the broker; waiting for it")):
        found = read(folders.state)
        if found and found.is_alive:
            if port not in (None, 0, found.port):
                say(f"the broker runs already, on port {found.port}; stop it first to give it port {port}")
            await_answer(folders, found)  # its starter may have been killed before it was ready
            return found.running
        if found:
            say(f"the last broker ended by itself; its log says: {last_words(folders.logs)}")
        return _start(folders, port, say).running


def status(home: Path) -> Running | None:
    """Return the embedded broker of a state folder if its process runs; nothing is asked of it."""
    found = read(Folders.of(home).state)
    return found.running if found and found.is_alive else None


def obituary(home: Path) -> str | None:
    """Return the last words of a broker that ended without being stopped; None when that did not happen."""
    folders = Folders.of(home)
    found = read(folders.state)
    return last_words(folders.logs) if found and not found.is_alive else None


def stop(home: Path) -> bool:
    """Stop the embedded broker and return whether one ran: asked first, killed if it does not end in 20 s.

    Raises:
        FolderError: HR403, the state folder belongs to somebody else.
    """
    folders = Folders.of(home)
    if not folders.root.is_dir():
        return False
    with locked(folders.lock, on_wait=lambda: None):
        found = read(folders.state)
        ran = found is not None and found.is_alive
        if found and ran:
            process.end(found.pid, found.born)
        forget(folders.state)
        return ran


def _start(folders: Folders, port: int | None, say: Progress) -> Started:
    if is_held(folders.kafka_lock):
        # Kafka looks at this lock too late: by then it has taken over the metadata log, and the first one hangs.
        raise BrokerLockedError(folders.server)
    choose(port)  # first of all: a taken port should not be learnt after a download
    launcher = Launcher(folders, find_java(), kafka_jars(say), say)
    for _ in range(TRIES - 1):
        with suppress(PortTakenError):
            return launcher.launch(_chosen(port, say))
    return launcher.launch(_chosen(port, say))


def _chosen(port: int | None, say: Progress) -> int:
    chosen = choose(port)
    if port is None and chosen != USUAL:
        say(f"port {USUAL} is taken; using {chosen}")
    return chosen


def _silent(_: str) -> None:
    pass
