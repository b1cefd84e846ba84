"""The peer: the plain loop of `bare_ffnn` on librdkafka, to see what another client than aiokafka would give.

Take up to 500, decode, one run, encode, send all, wait for every acknowledgement, commit.
"""

from __future__ import annotations

import sys

from confluent_kafka import Consumer, KafkaException, Message, Producer

from benchmarks.ffnn_work import BATCH, scorer


def main(bootstrap: str, source: str, target: str, encoding: str, model: str) -> None:
    """Loop until SIGTERM."""
    score = scorer(encoding, model)
    settings = {"bootstrap.servers": bootstrap, "group.id": target, "auto.offset.reset": "earliest"}
    consumer = Consumer({**settings, "enable.auto.commit": False})
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "enable.idempotence": True, "linger.ms": 0})
    consumer.subscribe([source])
    while True:
        messages = [_whole(message) for message in consumer.consume(BATCH, 0.5)]
        if not messages:
            continue
        for message, result in zip(messages, score([value for _, value in messages]), strict=True):
            producer.produce(target, result, key=message[0])
        if producer.flush(30):
            raise TimeoutError("results were not acknowledged")
        consumer.commit(asynchronous=False)


def _whole(message: Message) -> tuple[bytes | None, bytes]:
    if message.error():
        raise KafkaException(message.error())
    value = message.value()
    if not isinstance(value, bytes):
        raise TypeError("a message without a value")
    return message.key(), value


if __name__ == "__main__":
    main(*sys.argv[1:6])
