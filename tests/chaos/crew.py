"""The workers of a run: one of each group, replaced when it ends, and others that come and go."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.support.pipeline import Pipeline
from tests.support.worker import Worker

__all__ = ["Crew"]


class Crew:
    """Starts workers under their names, and starts again those that ended by themselves.

    Attributes:
        deaths: workers that ended without being told to: name, exit code, last line.
    """

    def __init__(self, pipeline: Pipeline, stages: Mapping[str, str], home: Path) -> None:
        self._pipeline, self._stages = pipeline, stages
        self._environment = {"HEADRACE_HOME": str(home)}
        self._workers: dict[tuple[str, str], Worker] = {}
        self.deaths: list[str] = []

    def start(self, group: str, name: str = "w1") -> Worker:
        """Start a worker of a group; it is not ready yet."""
        worker = self._pipeline.start("--group", group, "--worker", name, **self._environment)
        self._workers[group, name] = worker
        return worker

    def start_all(self) -> None:
        """Start one worker of each group, and wait until they are ready."""
        for worker in [self.start(group) for group in self._stages]:
            worker.ready()

    def worker(self, group: str, name: str = "w1") -> Worker:
        """Return the running one of that name."""
        return self._workers[group, name]

    def forget(self, group: str, name: str) -> None:
        """It was told to end."""
        del self._workers[group, name]

    def tend(self) -> None:
        """Start again whoever ended by himself."""
        for (group, name), worker in list(self._workers.items()):
            code = worker.process.poll()
            if code is not None:
                self.deaths.append(f"{group} {name} ended with {code}: {''.join(worker.lines[-1:])[:300]}")
                self.start(group, name)

    def in_flight(self, group: str, name: str = "w1") -> int:
        """Return how many records a worker has read and not yet acknowledged; 0 when it does not answer."""
        stage = self._stages[group]
        worker = self._workers[group, name]
        return int(worker.figure("headrace_in_flight_records", stage=stage)) if worker.port else 0

    def end(self) -> list[int]:
        """Tell all to end, and return their exit codes."""
        codes = [worker.terminate(40) for worker in self._workers.values()]
        self._workers.clear()
        return codes
