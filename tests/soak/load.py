"""The load of a long run: first as much as is taken, to see how much that is, then evenly so many records a second."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from confluent_kafka import Producer

from tests.chaos.load import PARTITIONS, Made

__all__ = ["SENT", "Load"]

SENT = "sent"
"""The header that says when a record was published: it travels through to the result."""
BACKLOG = 2_000
"""Records that are ahead of their reader while capacity is measured."""
STEP_S = 0.02


class Load:
    """Publishes records in a thread until it is closed; nothing before `flood` or `flow`.

    Args:
        bootstrap: the broker.
        topic: the input; it has as many partitions as the load of the chaos runs.
        made: the records, without an end.

    Attributes:
        acknowledged: how many lie on each partition.
    """

    def __init__(self, bootstrap: str, topic: str, made: Iterator[Made]) -> None:
        # Without a timeout: what was under way when the broker died is acknowledged once it is back.
        settings = {"enable.idempotence": True, "linger.ms": 2, "message.timeout.ms": 0, "log_level": 0}
        self._producer = Producer({"bootstrap.servers": bootstrap, **settings})
        self._topic, self._made = topic, made
        self._sent, self.acknowledged, self.failures = 0, Counter[int](), list[str]()
        self._room: Callable[[], int] = lambda: 0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def flood(self, read: Callable[[], int]) -> None:
        """From now on keep a backlog for a pipeline that has read so many of all records."""
        self._room = lambda: read() + BACKLOG - self._sent

    def flow(self, per_s: float) -> None:
        """From now on publish so many a second."""
        began, before = time.monotonic(), self._sent
        self._room = lambda: int((time.monotonic() - began) * per_s) + before - self._sent

    def hold(self) -> None:
        """Publish nothing until it is told to go on."""
        self._room = lambda: 0

    def close(self) -> Sequence[int]:
        """Stop, and return how many records each partition has."""
        self._end.set()
        self._thread.join()
        assert self._producer.flush(60) == 0
        assert not self.failures, self.failures[:3]
        return [self.acknowledged[partition] for partition in range(PARTITIONS)]

    def _run(self) -> None:
        while not self._end.wait(STEP_S):
            for _ in range(self._room()):
                self._publish(next(self._made))
            self._producer.poll(0)

    def _publish(self, made: Made) -> None:
        headers: list[tuple[str, str | bytes | None]] = [(SENT, repr(time.time()).encode())]
        partition = self._sent % PARTITIONS
        self._producer.produce(self._topic, made.value, made.user.encode(), partition, self._note, headers=headers)
        self._sent += 1

    def _note(self, error: Any, message: Any) -> None:
        if error is not None:
            self.failures.append(str(error))
        else:
            self.acknowledged[message.partition()] += 1
