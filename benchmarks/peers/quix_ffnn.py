"""Quix Streams: a batching sink that scores what gathered since the last commit and writes it to a topic.

A dataframe of Quix hands over one message at a time. Its sinks are what it has for batches that a crash loses nothing
of: they are flushed before the offsets are committed. Its count windows keep each message in a state store.
"""

from __future__ import annotations

import os
from itertools import islice

from confluent_kafka import Producer
from quixstreams import Application
from quixstreams.sinks import BatchingSink, SinkBatch

from benchmarks.ffnn_work import BATCH, scorer

BOOTSTRAP, TARGET = os.environ["BOOTSTRAP"], os.environ["TARGET"]
COMMIT_S = 0.1


class Scored(BatchingSink):
    """Scores a partition's batch and sends the results."""

    def __init__(self) -> None:
        super().__init__()
        self._score = scorer(os.environ["ENCODING"], os.environ["MODEL"])
        self._producer = Producer({"bootstrap.servers": BOOTSTRAP, "acks": "all", "enable.idempotence": True})

    def write(self, batch: SinkBatch) -> None:
        """Return when all results are acknowledged."""
        items = iter(batch)
        while part := list(islice(items, BATCH)):
            for item, result in zip(part, self._score([each.value for each in part]), strict=True):
                self._producer.produce(TARGET, result, key=item.key)
            self._producer.poll(0)
        if self._producer.flush(30):
            raise TimeoutError("results were not acknowledged")


app = Application(
    BOOTSTRAP,
    consumer_group=f"{TARGET}-group",
    auto_offset_reset="earliest",
    commit_interval=COMMIT_S,
    loglevel="WARNING",
)
frame = app.dataframe(app.topic(os.environ["SOURCE"], key_deserializer="bytes", value_deserializer="bytes"))
frame.sink(Scored())

if __name__ == "__main__":
    app.run()
