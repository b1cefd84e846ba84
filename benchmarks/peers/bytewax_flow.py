"""Bytewax (Rust and librdkafka): a dataflow that scores batches of messages; at least once, by its recovery."""

from __future__ import annotations

from bytewax import operators as op
from bytewax.connectors.kafka import KafkaSinkMessage, KafkaSourceMessage
from bytewax.connectors.kafka import operators as kop
from bytewax.dataflow import Dataflow

from benchmarks.peers.work import BOOTSTRAP, SOURCE, TARGET, message, score

flow = Dataflow("peer")
read = kop.input("read", flow, brokers=[BOOTSTRAP], topics=[SOURCE])


def scored(one: KafkaSourceMessage) -> KafkaSinkMessage:
    """Return the result of a message."""
    timestamp_ms = one.timestamp[1] if one.timestamp else -1
    value, headers = score(message((one.topic, one.partition, one.offset), one.key, one.value, timestamp_ms))
    return KafkaSinkMessage(one.key, value, headers=list(headers))


results = op.map("score", read.oks, scored)
kop.output("write", results, brokers=[BOOTSTRAP], topic=TARGET)
