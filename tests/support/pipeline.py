"""A pipeline under test: its file, its topics on the real Kafka, its workers as child processes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.support.client import Client, Seen, until
from tests.support.worker import Worker

__all__ = ["Pipeline"]


class Pipeline:
    """Writes a pipeline file, runs `headrace run` on it, publishes and reads with a foreign client.

    Args:
        folder: where the file and the logs lie.
        name: the pipeline's name; the input topic's too.
        bootstrap: the broker.
    """

    def __init__(self, folder: Path, name: str, bootstrap: str) -> None:
        self.folder, self.name = folder, name
        self.client = Client(bootstrap)
        self.file = folder / f"{name}.yaml"
        self.input, self.output, self.dead_topic = name, f"{name}.out", f"{name}.dead"
        self.group = f"{name}.ingress"
        self.workers: list[Worker] = []
        self.write()

    def write(self, **sections: Any) -> None:
        """Write the file: a model that echoes, one output, and what the sections say instead."""
        said = {
            "headrace": 1,
            "pipeline": self.name,
            "input": {"topic": self.input, "text": "text"},
            "models": {"echo": "echo"},
            "output": [{"topic": {"name": self.output}}],
            "topics": {"partitions": 1},
            "broker": {"bootstrap": self.client.bootstrap},
            **sections,
        }
        lines = (f"{key}: {json.dumps(value)}\n" for key, value in said.items() if value is not None)
        self.file.write_text("".join(lines))

    def start(self, *args: str, **environment: str) -> Worker:
        """Start one more worker; it is not ready yet."""
        log = self.folder / f"worker-{len(self.workers) + 1}.log"
        self.workers.append(Worker(self.file, log, args, environment))
        return self.workers[-1]

    def run(self, *args: str, **environment: str) -> Worker:
        """Start one more worker and wait until it is ready."""
        return self.start(*args, **environment).ready()

    def publish(self, *texts: str, key: bytes | None = None, partition: int | None = None) -> list[str]:
        """Publish texts as JSON objects and return their positions, which are the ids of their records."""
        where = {} if partition is None else {"partition": partition}
        values = [{"value": json.dumps({"text": text}), "key": key, **where} for text in texts]
        return self.client.publish(self.input, *values)

    def outputs(self, count: int, topic: str = "") -> list[Seen]:
        """Return the results as soon as there are so many."""
        return self.client.first(topic or self.output, count)

    def dead_letters(self, count: int) -> list[Seen]:
        """Return the dead letters as soon as there are so many."""
        return self.client.first(self.dead_topic, count)

    def settled(self) -> None:
        """Wait until everything published so far is committed."""
        until(f"an end of the lag of {self.group}", lambda: self.client.lag(self.group, self.input) == 0)

    def ended(self) -> tuple[list[Seen], list[Seen]]:
        """Wait until everything published so far is committed; return all results and all dead letters."""
        self.settled()
        return self.client.all(self.output), self.client.all(self.dead_topic)

    def close(self) -> None:
        """Kill the workers that still run."""
        for worker in self.workers:
            if worker.process.poll() is None:
                worker.kill()
