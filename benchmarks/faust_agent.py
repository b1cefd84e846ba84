"""The peer: a plain Faust agent that does the same work, one event at a time, as Faust's tutorial writes it.

It reads JSON, normalises the text, builds the same result with the same headers by the same functions, and sends it.
What differs is the engine alone.
"""

from __future__ import annotations

import os
import time

import faust

from headrace.core.record import Batch, Content, Message, Position
from headrace.core.step import bind
from headrace.core.wire.cloudevents import result_headers
from headrace.core.wire.incoming import Intake, to_record
from headrace.core.wire.json import decode, encode
from headrace.core.wire.result import ResultFacts, Spent, iso_time, result_body

SOURCE, TARGET = os.environ["SOURCE"], os.environ["TARGET"]
FACTS = ResultFacts("faust", "0" * 12)
INTAKE = Intake(text=("body",), unit=("user",))

app = faust.App(
    TARGET.replace(".", "-"),
    broker=f"kafka://{os.environ['BOOTSTRAP']}",
    value_serializer="raw",
    key_serializer="raw",
    store="memory://",
    web_enabled=False,
    topic_disable_leader=True,
    topic_partitions=4,
    topic_replication_factor=1,
    consumer_auto_offset_reset="earliest",
)
source = app.topic(SOURCE, key_type=bytes, value_type=bytes)
target = app.topic(TARGET, key_type=bytes, value_type=bytes, partitions=4)


def _normalise():
    from headrace.core.catalog import installed_catalog

    spec = installed_catalog().find("preprocess", "normalise")
    return bind(spec, spec.options())


normalise = _normalise()


@app.agent(source)
async def score(stream):
    async for event in stream.events():
        raw = event.message
        now = time.time() * 1000
        position = Position(raw.topic, raw.partition, raw.offset)
        message = Message(position, event.key, event.value, (), int(raw.timestamp * 1000))
        record = normalise(Batch([to_record(message, Content(decode(event.value)), INTAKE)]))[0]
        body = result_body(record, FACTS, Spent(now, time.time() * 1000, 0.0, 0.0), iso_time(now))
        headers = dict(result_headers(record, body, output=TARGET))
        await target.send(key=event.key, value=encode(body), headers=headers)


if __name__ == "__main__":
    app.main()
