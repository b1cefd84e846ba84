"""Ports of this machine: which are free, and which one to take."""

from __future__ import annotations

import errno
import os
import socket

from headrace.streams.broker.errors import PortTakenError

__all__ = ["HOST", "USUAL", "choose", "fault", "free"]

HOST = "127.0.0.1"  # the embedded broker has no passwords, so nobody outside this machine may reach it
USUAL = 9092  # where every Kafka tool looks first


def choose(asked: int | None) -> int:
    """Return the port to listen on: the one asked for; without one 9092 if it is free; else, or for 0, any free one.

    Raises:
        PortTakenError: HR402, the port asked for cannot be used.
    """
    if asked:
        reason = fault(asked)
        if reason:
            raise PortTakenError(asked, reason)
        return asked
    return USUAL if asked is None and fault(USUAL) is None else free()


def fault(port: int) -> str | None:
    """Return why nobody can listen on the port now; None when somebody can."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as Java does: a port in TIME_WAIT is free
        try:
            probe.bind((HOST, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return "another process listens there"
            return os.strerror(error.errno or 0).lower()
    return None


def free() -> int:
    """Return a port that nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
