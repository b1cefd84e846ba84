"""Publishes the load a bit ahead of its reader: always a backlog, never so much that one group runs far ahead."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import Any

from confluent_kafka import Producer

from tests.chaos.ends import Due
from tests.chaos.load import Made, Placer

__all__ = ["Feeder"]

BACKLOG = 256
"""Records: more than are in flight in one process, so that there is lag whenever a batch is."""
LOOK_S = 0.1


class Feeder:
    """Publishes records in their order, in a thread, as long as it is let.

    While a group is down the others would work off the load without it, and leave nothing to strike under: so none is
    published between a fault and the end of its effects.

    Args:
        bootstrap: the broker.
        made: what is to be published, without an end: a worker that starts slowly has its peers read on.
        placer: says where it will lie.
        least: how many are published in any case.
        read: how many of them the pipeline has read and committed; None while nobody knows.

    Attributes:
        due: what is published, or about to be.
    """

    def __init__(
        self, bootstrap: str, made: Iterator[Made], placer: Placer, least: int, read: Callable[[], int | None]
    ) -> None:
        settings = {"bootstrap.servers": bootstrap, "enable.idempotence": True, "linger.ms": 5, "log_level": 0}
        self._producer, self._made, self._placer = Producer(settings), made, placer
        self._least, self._read = least, read
        self._wanted, self._end, self._is_ending = threading.Event(), threading.Event(), False
        self._wanted.set()
        self._planted: SimpleQueue[Made] = SimpleQueue()
        self.due: list[Due] = []
        self.failures: list[str] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def hold(self) -> None:
        """Publish nothing until `go`."""
        self._wanted.clear()

    def go(self) -> None:
        """Go on."""
        self._wanted.set()

    def plant(self, made: Made) -> None:
        """Publish this one next."""
        self._planted.put(made)

    def place_of(self, name: str) -> Due | None:
        """Return a record of that name once it is published."""
        return next((due for due in reversed(self.due) if due.name == name), None)

    def finish(self) -> None:
        """No more than the least are needed from now on."""
        self._is_ending = True

    def close(self) -> None:
        """Stop, whether or not all is published."""
        self._end.set()
        self._wanted.set()
        self._thread.join()
        assert self._producer.flush(60) == 0
        assert not self.failures, self.failures[:3]

    @property
    def is_done(self) -> bool:
        """Whether all that is to be published is."""
        return self._is_ending and len(self.due) >= self._least

    def _run(self) -> None:
        while not self.is_done and not self._end.is_set():
            self._wanted.wait()
            read = self._read()
            if read is not None:
                while not self.is_done and len(self.due) < read + BACKLOG:
                    self._publish(next(self._made) if self._planted.empty() else self._planted.get())
            self._producer.poll(0)
            self._end.wait(LOOK_S)

    def _publish(self, made: Made) -> None:
        due = self._placer.place(made)

        def note(error: Any, message: Any) -> None:
            if error is not None or message.offset() != due.offset:
                self.failures.append(f"{due.id}: {error or message.offset()}")

        self.due.append(due)
        self._producer.produce(
            due.topic,
            due.value,
            due.key,
            partition=due.partition,
            on_delivery=note,
            timestamp=due.timestamp_ms,
            headers=list(due.headers),
        )
