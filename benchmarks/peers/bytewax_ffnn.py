"""Bytewax: a dataflow that scores numbers in batches, as many at once as its source read together."""

from __future__ import annotations

import os

from bytewax import operators as op
from bytewax.connectors.kafka import KafkaSinkMessage, KafkaSourceMessage
from bytewax.connectors.kafka import operators as kop
from bytewax.dataflow import Dataflow

from benchmarks.ffnn_work import BATCH, scorer

BROKERS = [os.environ["BOOTSTRAP"]]
score = scorer(os.environ["ENCODING"], os.environ["MODEL"])


def scored(batch: list[KafkaSourceMessage]) -> list[KafkaSinkMessage]:
    """Return the results of a batch."""
    results = score([one.value for one in batch])
    return [KafkaSinkMessage(one.key, result) for one, result in zip(batch, results, strict=True)]


flow = Dataflow("peer")
read = kop.input("read", flow, brokers=BROKERS, topics=[os.environ["SOURCE"]], batch_size=BATCH)
kop.output("write", op.flat_map_batch("score", read.oks, scored), brokers=BROKERS, topic=os.environ["TARGET"])
