"""Whether a worker is alive and ready, and why not."""

from __future__ import annotations

import time

__all__ = ["Health"]


class Health:
    """What /healthz and /readyz answer. Written by the loop, read by the web page; both in one event loop."""

    def __init__(self) -> None:
        self._reading = False
        self._broker_fault = ""
        self._why = "starting"
        self._stopping = False
        self._since = time.monotonic()

    def reading(self, is_reading: bool, why: str = "") -> None:
        """Note whether the loop gets through to the broker."""
        if is_reading != self._reading:
            self._since = time.monotonic()
        self._reading, self._why = is_reading, why

    def broker(self, fault: str = "") -> None:
        """Note whether the broker takes heartbeats; empty when it does."""
        if bool(fault) != bool(self._broker_fault):
            self._since = time.monotonic()
        self._broker_fault = fault

    def stopping(self) -> None:
        """Note that the worker drains: no longer ready, still alive."""
        self._stopping = True

    @property
    def is_ready(self) -> bool:
        """Whether records flow, or would if there were any."""
        return self._reading and not self._stopping and not self._broker_fault

    @property
    def why(self) -> str:
        """Why it is not ready; empty when it is."""
        if self._stopping:
            return "stopping"
        return self._broker_fault or ("" if self._reading else self._why)

    def facts(self) -> dict[str, object]:
        """Return the answer of /readyz."""
        return {"ready": self.is_ready, "why": self.why, "seconds": round(time.monotonic() - self._since, 1)}
