"""Decide which Kafka a command talks to."""

from __future__ import annotations

import os
from pathlib import Path

from headrace.streams.broker.container import in_container
from headrace.streams.broker.embedded import Progress, obituary, start, status
from headrace.streams.broker.errors import BrokerDiedError, BrokerNotRunningError, ContainerBrokerError

__all__ = ["bootstrap"]


def bootstrap(file_setting: str | None, *, start_embedded: bool, home: Path, progress: Progress | None = None) -> str:
    """Return the address of the broker to use: the file's, else HEADRACE_BROKER, else the embedded broker's.

    Args:
        file_setting: `broker.bootstrap` of the pipeline file, if it has one.
        start_embedded: whether the embedded broker may be started when neither names one.
        home: the state folder of the embedded broker.
        progress: told what is being waited for while it starts.

    Raises:
        BrokerNotRunningError: HR220, nothing is named and the embedded broker does not run.
        BrokerDiedError: HR221, it was started and ended by itself.
        ContainerBrokerError: HR223, nothing is named and this is a container.
        HeadraceError: whatever `start` raises.
    """
    named = (file_setting or "").strip() or os.environ.get("HEADRACE_BROKER", "").strip()
    if named:
        return named
    if in_container():
        raise ContainerBrokerError
    if start_embedded:
        return start(home, progress=progress).bootstrap
    running = status(home)
    if running:
        return running.bootstrap
    last_words = obituary(home)
    raise BrokerNotRunningError(home) if last_words is None else BrokerDiedError(last_words)
