"""Reads results as they come, as a stranger who reads committed: how late each is, and which came how often."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from tests.chaos.load import PARTITIONS
from tests.chaos.raw import Tail
from tests.soak.load import SENT
from tests.support.client import Client, Seen

__all__ = ["Reader", "Tally"]

LOOK_S = 0.002  # librdkafka gives a thousand, or what there is after this time: it is part of every latency


class Tally:
    """How often each record came, in a byte a record: an hour has millions of them."""

    def __init__(self) -> None:
        self.count = 0
        self._copies = [bytearray() for _ in range(PARTITIONS)]

    def add(self, partition: int, offset: int) -> None:
        """Take a result of this record."""
        copies = self._copies[partition]
        if offset >= len(copies):
            copies.extend(bytes(offset + 1 - len(copies)))
        copies[offset] = min(255, copies[offset] + 1)
        self.count += 1

    def lost(self, ends: Sequence[int]) -> int:
        """Return how many records of these partitions never came."""
        return sum(
            end - sum(1 for copy in copies[:end] if copy) for copies, end in zip(self._copies, ends, strict=True)
        )

    @property
    def doubled(self) -> int:
        """How many copies came beside the first ones."""
        return sum(max(0, copy - 1) for copies in self._copies for copy in copies)


class Reader:
    """Follows a topic of results in a thread.

    Args:
        client: of the broker.
        topic: the results; it must be there.
    """

    def __init__(self, client: Client, topic: str) -> None:
        self.tally = Tally()
        self._tail = Tail(client, [topic])
        self._latencies_ms: list[float] = []
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def latencies_ms(self) -> list[float]:
        """Return the latencies of what came since the last call."""
        found, self._latencies_ms = self._latencies_ms, []
        return found

    def close(self) -> None:
        """End it."""
        self._end.set()
        self._thread.join()
        self._tail.close()

    def _run(self) -> None:
        while not self._end.is_set():
            for seen in self._tail.more(LOOK_S):
                self._take(seen)

    def _take(self, seen: Seen) -> None:
        source = seen.body["source"]
        self.tally.add(source["partition"], source["offset"])
        self._latencies_ms.append((time.time() - float(seen.header(SENT))) * 1000)
