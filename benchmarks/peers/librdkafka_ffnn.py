"""The peer: the plain loop of `bare_ffnn` on librdkafka, to see what another client than aiokafka would give.

Take up to 500, decode, one run, encode label and scores or the full result, send all, wait for every acknowledgement,
commit.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import NamedTuple, TypeVar

from confluent_kafka import Consumer, KafkaException, Message, Producer

from benchmarks.bare_ffnn import Score, chosen
from benchmarks.ffnn_work import BATCH
from headrace.core.record import Headers

R = TypeVar("R")

Sent = tuple[str, bytes | None, bytes | None, Headers]
"""Topic, key, value and headers."""


class Read(NamedTuple):
    """A message as aiokafka would call it."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes


def main(bootstrap: str, source: str, target: str, score: Score) -> None:
    """Loop until SIGTERM."""

    def work(records: Sequence[Read]) -> Iterable[Sent]:
        for record, (result, headers) in zip(records, score(records), strict=True):
            yield target, record.key, result, headers

    loop(bootstrap, source, target, partial(_read, source), work)


def loop(
    bootstrap: str,
    source: str,
    group: str,
    read: Callable[[Message], R],
    work: Callable[[Sequence[R]], Iterable[Sent]],
) -> None:
    """Read a batch, send what the work makes of it, wait for every acknowledgement, commit; until SIGTERM."""
    settings = {"bootstrap.servers": bootstrap, "group.id": group, "auto.offset.reset": "earliest"}
    consumer = Consumer({**settings, "enable.auto.commit": False})
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "enable.idempotence": True, "linger.ms": 0})
    consumer.subscribe([source])
    while True:
        records = [read(message) for message in consumer.consume(BATCH, 0.5)]
        if not records:
            continue
        for topic, key, value, headers in work(records):
            producer.produce(topic, value, key=key, headers=list(headers))
        if producer.flush(30):
            raise TimeoutError("results were not acknowledged")
        consumer.commit(asynchronous=False)


def _read(topic: str, message: Message) -> Read:
    if message.error():
        raise KafkaException(message.error())
    value = message.value()
    if not isinstance(value, bytes):
        raise TypeError("a message without a value")
    return Read(topic, message.partition(), message.offset(), message.timestamp()[1], message.key(), value)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], chosen(*sys.argv[3:]))
