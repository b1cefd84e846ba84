"""Whether a worker is alive and ready, and why not."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

__all__ = ["Health"]


class Health:
    """What /healthz and /readyz answer. Written by the loop, read by the web page; both in one event loop."""

    def __init__(self) -> None:
        self._waiting: dict[str, str] = {"": "starting"}  # stage -> why it does not read; "" until all are known
        self._broker_fault = ""
        self._held: dict[str, Mapping[int, str]] = {}
        self.quarantined: Mapping[tuple[str, str], str] = {}
        """Steps that are left alone for a while, by stage and plugin, and why."""
        self._stopping = False
        self._since = time.monotonic()

    def expect(self, stages: Iterable[str]) -> None:
        """Name the stages that have to read before the worker is ready."""
        self._waiting = dict.fromkeys(stages, "starting")

    def reading(self, is_reading: bool, why: str = "", stage: str = "ingress") -> None:
        """Note whether a stage's loop gets through to the broker."""
        before = bool(self._waiting)
        self._waiting.pop("", None)
        if is_reading:
            self._waiting.pop(stage, None)
        else:
            self._waiting[stage] = why
        if bool(self._waiting) != before:
            self._since = time.monotonic()

    def broker(self, fault: str = "") -> None:
        """Note whether the broker takes heartbeats; empty when it does."""
        if bool(fault) != bool(self._broker_fault):
            self._since = time.monotonic()
        self._broker_fault = fault

    def hold(self, stage: str, partitions: Mapping[int, str]) -> None:
        """Note which partitions of a stage wait for a record, and why. The worker is ready all the same."""
        self._held[stage] = partitions

    @property
    def held(self) -> dict[str, str]:
        """The partitions that wait for a record, as STAGE:PARTITION, and why."""
        return {f"{stage}:{at}": why for stage, found in self._held.items() for at, why in sorted(found.items())}

    def stopping(self) -> None:
        """Note that the worker drains: no longer ready, still alive."""
        self._stopping = True

    @property
    def is_ready(self) -> bool:
        """Whether records flow, or would if there were any."""
        return not self._waiting and not self._stopping and not self._broker_fault

    @property
    def why(self) -> str:
        """Why it is not ready; empty when it is."""
        if self._stopping:
            return "stopping"
        return self._broker_fault or self._first_why()

    def _first_why(self) -> str:
        for stage, why in self._waiting.items():
            return why if stage in ("", "ingress") else f"{stage}: {why}"
        return ""

    def facts(self) -> dict[str, object]:
        """Return the answer of /readyz."""
        return {"ready": self.is_ready, "why": self.why, "seconds": round(time.monotonic() - self._since, 1)}
