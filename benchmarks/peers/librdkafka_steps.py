"""What librdkafka would give a pipeline: all of its steps between a plain consumer and a plain producer of librdkafka.

Take up to 500, let the opened steps of the pipeline's file run as a worker would, send what they want sent, wait for
every acknowledgement, commit. Journal, control topic and health are left out: so much is the most that another client
could give.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka import Message as Read

from benchmarks.peers.librdkafka_ffnn import Sent, loop
from headrace.core.plan.compile import compile_file
from headrace.core.plan.stages import INGRESS
from headrace.core.record import Message, Position
from headrace.streams.bisect import Retries
from headrace.streams.collector import look_less_often
from headrace.streams.link import Outbound
from headrace.streams.live import Live
from headrace.streams.meter import Meter
from headrace.streams.opening import open_pipe
from headrace.streams.registry import default_location


def main(bootstrap: str, file: str) -> None:
    """Loop until SIGTERM."""
    plan = compile_file(Path(file), registry=default_location())
    meter = Meter(plan.pipeline)
    retries = Retries(limit=0, sleep=lambda _: None)
    pipe = open_pipe(plan, plan.groups["main"], threads=1, retries=retries, meter=meter, live=Live(plan))
    take, topic = pipe.entry(INGRESS, Outbound(plan, INGRESS)), plan.input.topic

    def work(messages: Sequence[Message]) -> Iterable[Sent]:
        for slot in take(messages).slots:
            if slot.failures:
                raise RuntimeError(f"a record failed: {slot.failures}")
            for _, sent in slot.outgoing:
                yield sent.topic, sent.key, sent.value, sent.headers

    look_less_often()  # as a worker does once it is ready
    loop(bootstrap, topic, plan.pipeline, partial(_message, topic), work)


def _message(topic: str, read: Read) -> Message:
    if read.error():
        raise KafkaException(read.error())
    place = Position(topic, read.partition() or 0, read.offset() or 0)
    return Message(place, read.key(), read.value(), (), read.timestamp()[1])


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
