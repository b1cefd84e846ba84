"""A pipeline under test: its file, its topics on the real Kafka, its workers as child processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.client import PATIENCE_S, Client, Seen, until
from tests.support.worker import PLUGINS, Worker

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
        self.models: list[str] = []
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
        self.models = [*said["models"]]

    def start(self, *args: str, **environment: str) -> Worker:
        """Start one more worker; it is not ready yet."""
        log = self.folder / f"worker-{len(self.workers) + 1}.log"
        self.workers.append(Worker(self.file, log, args, environment))
        return self.workers[-1]

    def run(self, *args: str, **environment: str) -> Worker:
        """Start one more worker and wait until it is ready."""
        return self.start(*args, **environment).ready()

    def run_groups(self, *groups: str, worker: str = "w1", **environment: str) -> dict[str, Worker]:
        """Start a named worker of each group and wait until all are ready."""
        started = {group: self.start("--group", group, "--worker", worker, **environment) for group in groups}
        return {group: worker.ready() for group, worker in started.items()}

    def headrace(self, *args: str) -> str:
        """Run a command on the pipeline, which must succeed, and return what it prints."""
        command = [sys.executable, "-m", "headrace", *args]
        variables = {**os.environ, "PYTHONPATH": str(PLUGINS)}
        done = subprocess.run(
            command, cwd=self.folder, env=variables, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, f"{args}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

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

    def link(self, stage: str) -> str:
        """The topic that a stage reads when it runs apart from those before it."""
        return f"{self.name}.link.{stage}"

    def links(self) -> list[str]:
        """The stages that have a link topic, each after those that send to it: egress is the last one."""
        prefix = self.link("")
        found = [name.removeprefix(prefix) for name in self.client.topics() if name.startswith(prefix)]
        order = [*self.models, "egress"]
        return sorted(found, key=lambda stage: (order.index(stage.partition(".")[0]), stage))

    def lags(self) -> dict[str, int]:
        """How many messages each stage has not committed, in the order of a record's way.

        A stage commits what it read after it has sent it on, so when all are 0 nothing is on its way.
        """
        found = {"ingress": self.client.lag(self.group, self.input)}
        if (aside := f"{self.name}.retry.ingress") in self.client.topics():
            found["ingress.retry"] = self.client.lag(self.group, aside)
        return {**found, **{stage: self.client.lag(f"{self.name}.{stage}", self.link(stage)) for stage in self.links()}}

    def readers(self, stage: str = "ingress") -> dict[str, list[int]]:
        """The partitions of each member that reads for a stage, by its client id, as `headrace status` tells."""
        stages = json.loads(self.headrace("status", str(self.file), "--json"))["stages"]
        (members,) = [one["members"] for one in stages if one["stage"] == stage]
        return {member["client_id"]: member["partitions"] for member in members if member["partitions"]}

    def settled(self, patience_s: float = PATIENCE_S) -> None:
        """Wait until everything published so far is through every stage, and committed."""
        until(f"an end of the lag of {self.name}", lambda: not any(self.lags().values()), patience_s=patience_s)

    def ended(self, patience_s: float = PATIENCE_S) -> tuple[list[Seen], list[Seen]]:
        """Wait until everything published so far is committed; return all results and all dead letters."""
        self.settled(patience_s)
        for topic in (self.output, self.dead_topic):
            until(f"the end of transactions in {topic}", lambda topic=topic: self.client.is_settled(topic))  # type: ignore[misc]
        return self.client.all(self.output), self.client.all(self.dead_topic)

    def close(self) -> None:
        """Kill the workers that still run."""
        for worker in self.workers:
            if worker.process.poll() is None:
                worker.kill()
