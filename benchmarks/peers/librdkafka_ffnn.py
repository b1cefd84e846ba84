"""The peer: the plain loop of `bare_ffnn` on librdkafka, to see what another client than aiokafka would give.

Take up to 500, decode, one run, encode label and scores or the full result, send all, wait for every acknowledgement,
commit.
"""

from __future__ import annotations

import sys
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaException, Message, Producer

from benchmarks.bare_ffnn import Score, chosen
from benchmarks.ffnn_work import BATCH


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
    settings = {"bootstrap.servers": bootstrap, "group.id": target, "auto.offset.reset": "earliest"}
    consumer = Consumer({**settings, "enable.auto.commit": False})
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "enable.idempotence": True, "linger.ms": 0})
    consumer.subscribe([source])
    while True:
        messages = [_read(source, message) for message in consumer.consume(BATCH, 0.5)]
        if not messages:
            continue
        for message, (result, headers) in zip(messages, score(messages), strict=True):
            producer.produce(target, result, key=message.key, headers=list(headers))
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
