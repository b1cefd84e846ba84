"""Everything that topics hold, as a reader of committed messages sees it."""

from __future__ import annotations

import time
from collections.abc import Sequence

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

from tests.support.client import Client, Seen

__all__ = ["Tail", "read_all"]

PATIENCE_S = 60.0
_SETTINGS = {
    "enable.auto.commit": False,
    "enable.partition.eof": True,
    "isolation.level": "read_committed",
    "fetch.wait.max.ms": 50,
    "log_level": 0,
}


class Tail:
    """Follows topics from their beginning; the topics must be there."""

    def __init__(self, client: Client, names: Sequence[str]) -> None:
        self._consumer = Consumer({"bootstrap.servers": client.bootstrap, "group.id": "a-checker", **_SETTINGS})
        self._open = {(name, number) for name in names for number in range(client.partitions(name))}
        self._consumer.assign([TopicPartition(name, number, OFFSET_BEGINNING) for name, number in self._open])

    def more(self, timeout_s: float) -> list[Seen]:
        """Return what has come since the last call, after at most so long; nothing while the broker is away."""
        found = []
        for message in self._consumer.consume(1000, timeout=timeout_s):
            where = (message.topic(), message.partition())
            error = message.error()
            if error is None:
                headers = tuple(message.headers() or ())
                key, value, timestamp_ms = message.key(), message.value(), message.timestamp()[1]
                found.append(Seen(*where, message.offset(), key, value, headers, timestamp_ms))
            elif error.code() == KafkaError._PARTITION_EOF:
                self._open.discard(where)
        return found

    @property
    def is_through(self) -> bool:
        """Whether every partition was once read to its end."""
        return not self._open

    def close(self) -> None:
        """End it."""
        self._consumer.close()


def read_all(client: Client, names: Sequence[str]) -> dict[str, list[Seen]]:
    """Return what each topic holds now, each partition in its order; a topic that is not there holds nothing."""
    found: dict[str, list[Seen]] = {name: [] for name in names}
    tail = Tail(client, names)
    deadline = time.monotonic() + PATIENCE_S
    try:
        while not tail.is_through:
            assert time.monotonic() < deadline, f"waited {PATIENCE_S:g} s for the ends of {names}"
            for seen in tail.more(0.2):
                found[seen.topic].append(seen)
    finally:
        tail.close()
    return found
