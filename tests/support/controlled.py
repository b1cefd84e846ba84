"""A pipeline that nobody runs: its file and its topics on the real Kafka, for what looks at it and changes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from headrace.streams.access.connection import Connection
from tests.support.client import Client

__all__ = ["Controlled"]


class Controlled(NamedTuple):
    """Its file, its topics, and a stranger's client for them."""

    client: Client
    pipeline: str
    file: Path

    @property
    def control(self) -> str:
        return f"{self.pipeline}.control"

    @property
    def audit(self) -> str:
        return f"{self.pipeline}.audit"

    @property
    def group(self) -> str:
        """The consumer group of ingress, whose topic has the pipeline's name."""
        return f"{self.pipeline}.ingress"

    @property
    def bootstrap(self) -> str:
        return self.client.bootstrap

    @property
    def connection(self) -> Connection:
        return Connection(self.bootstrap)

    def make(self) -> Controlled:
        """Write the file, and make the control and audit topics and an input of two partitions."""
        said = {
            "headrace": 1,
            "pipeline": self.pipeline,
            "input": {"topic": self.pipeline, "text": "text"},
            "models": {"quick": "lexicon"},
            "output": [{"topic": {"name": f"{self.pipeline}.out"}}],
            "broker": {"bootstrap": self.bootstrap},
        }
        self.file.write_text("".join(f"{key}: {json.dumps(value)}\n" for key, value in said.items()))
        self.client.make_topic(self.control, cleanup_policy="compact")
        self.client.make_topic(self.audit)
        self.client.make_topic(self.pipeline, 2)
        return self

    def write(self, *pairs: tuple[str, bytes | None]) -> None:
        """Write settings as any client may."""
        self.client.publish(self.control, *({"key": key, "value": value} for key, value in pairs))

    def publish(self, count: int, partition: int = 0) -> None:
        """Publish so many records to a partition of the input."""
        message = {"value": b'{"text": "fine"}', "partition": partition}
        self.client.publish(self.pipeline, *[message] * count)

    def settings(self) -> dict[str, object]:
        """Return the newest value of every key; None for one that was taken away."""
        return {(seen.key or b"").decode(): seen.body for seen in self.client.all(self.control)}
