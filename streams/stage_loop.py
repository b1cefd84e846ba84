"""Makes the record loop of one stage, and what brings its results to the broker."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from headrace.core.errors import HeadraceError
from headrace.core.wire.frame import records_in
from headrace.core.wire.retry import due_ms
from headrace.streams.access.denial import denial
from headrace.streams.ahead import Ahead
from headrace.streams.at_least_once import AtLeastOnce
from headrace.streams.batch_limit import BatchLimit
from headrace.streams.commit import Committer
from headrace.streams.committed import Committed
from headrace.streams.dead_letter import DeadLetters
from headrace.streams.delivery import Delivery
from headrace.streams.errors import StoppedAtRecordError
from headrace.streams.exactly_once import ExactlyOnce
from headrace.streams.hold import Held, Holding
from headrace.streams.link import Outbound, same_partition
from headrace.streams.loop import RecordLoop
from headrace.streams.loop_settings import LoopSettings
from headrace.streams.originals import Originals
from headrace.streams.pace import Pace
from headrace.streams.postbag import Postbag
from headrace.streams.resuming import Resuming
from headrace.streams.sender import Sender
from headrace.streams.spread import Spread
from headrace.streams.stage_clients import REBALANCE_TIMEOUT_MS, StageClients
from headrace.streams.stage_parts import StageParts
from headrace.streams.suspects import Suspects
from headrace.streams.ticks import Ticks
from headrace.streams.transactions import Transactions

__all__ = ["make_delivery", "make_loop"]


def make_delivery(
    parts: StageParts, clients: StageClients, consumer: Any, committed: Committed, originals: Originals
) -> Delivery:
    """Return what sends and commits, by the guarantee that the plan asks for; not yet started."""
    plan, topics = parts.plan, parts.worker.topics
    letters = DeadLetters(plan, parts.stage.name, originals.read)
    assigned, every_ms = consumer.assignment, plan.delivery.commit_every
    if plan.delivery.guarantee == "exactly_once":
        return ExactlyOnce(
            Transactions(clients.transactional, parts.stage.consumer_group),
            Postbag(letters, topics),
            assigned=assigned,
            every_ms=every_ms,
            on_commit=committed.note,
            words=committed.journal.words,
            mark=committed.mark,
        )
    compacted = [name for name, facts in topics.items() if facts.is_compacted]
    producers = clients.producer(), clients.producer(compression_type="gzip")
    sender = Sender(*producers, letters, compacted)
    return AtLeastOnce(sender, Committer(committed.commit, assigned, every_ms), producers, committed.mark)


def make_loop(
    parts: StageParts,
    *,
    consumer: Any,
    delivery: Delivery,
    resuming: Resuming,
    committed: Committed,
    holding: Holding,
    ahead: Ahead | None,
    spread: Spread | None,
) -> RecordLoop:
    """Return the loop between a stage's consumer and its delivery."""
    stage, worker, joiner = parts.stage, parts.worker, parts.joiner
    outbound = Outbound(parts.plan, stage.name, spread.choose if spread else same_partition, worker.links)
    way = stage.name, outbound, joiner, holding
    suspects = Suspects(
        journal=committed.journal,
        write=delivery.mark,
        condemn=worker.pipe.condemning(*way),
        alone=worker.alone,
        stage=stage.name,
        is_link=not parts.is_ingress,
        due=lambda partition, now_ms: joiner.first_due(partition, now_ms) if joiner is not None else None,
        due_ms=lambda: joiner.due_ms if joiner is not None else {},
    )
    return RecordLoop(
        consumer=consumer,
        process=worker.pipe.entry(*way),
        executor=worker.executor,
        delivery=delivery,
        resume=resuming.resume,
        limit=BatchLimit(parts.plan.batch.max_records, REBALANCE_TIMEOUT_MS / 1000 / 8),
        health=worker.health,
        meter=worker.meter,
        settings=_settings(parts, consumer, holding, suspects, ahead),
    )


def _settings(
    parts: StageParts, consumer: Any, holding: Holding, suspects: Suspects, ahead: Ahead | None
) -> LoopSettings:
    plan, stage, worker, joiner = parts.plan, parts.stage, parts.worker, parts.joiner
    is_link = not parts.is_ingress
    return LoopSettings(
        # A frame waited to fill before it was sent: waiting again at each link made each cost 10 ms, not 4.
        max_wait_ms=0 if is_link else plan.batch.max_wait,
        stage=stage.name,
        weigh=(lambda message: records_in(message.value)) if is_link else None,
        paused=lambda: worker.live.state.paused.get(stage.name),
        waits=lambda: ahead is not None and ahead.holds,
        full=parts.full,
        holding=holding,
        pace=Pace(None if is_link else plan.delivery.rate),
        suspects=suspects,
        early_s=_early_s(parts.retry_topic) if parts.retry_topic else None,
        on_final=lambda held: _stopped_at(parts, held),
        on_delivered=lambda outcome: joiner.delivered(outcome.slots) if joiner is not None else None,
        denied=lambda error: _denied(parts, error),
        ticks=Ticks(consumer, joiner).due if joiner is not None else None,
    )


def _early_s(retry_topic: str) -> Callable[[str, Any], float]:
    return lambda topic, raw: due_ms(raw.headers) / 1000 - time.time() if topic == retry_topic else 0.0


def _denied(parts: StageParts, error: Exception) -> HeadraceError | None:
    """Return what an error of the loop says of rights: of the group, of what is read, or of what is written."""
    connection, stage = parts.worker.connection, parts.stage
    found = denial(error, connection, operation="Write", group=stage.consumer_group)
    if found is not None and found.name in ("", stage.reads, parts.plan.input.topic):
        # What aiokafka does not name is what offsets were to be committed of, in a transaction.
        return denial(error, connection, operation="Read", topic=found.name or str(stage.reads))
    return found


def _stopped_at(parts: StageParts, held: Held) -> HeadraceError:
    failure, stage = held.failure, parts.stage
    what = f"{held.source} failed at {failure.stage}: {failure.code} {failure.message}"
    # The end of a join may have come with a message of others, or with none, since its time was over; and what
    # waited aside lies in another topic.
    is_elsewhere = parts.joiner is not None or held.carrier.topic != stage.reads
    one = f"--record {held.source}" if is_elsewhere else f"--partition {held.carrier.partition}"
    way = f"headrace skip {parts.plan.file} --stage {stage.name} {one}"
    mend = f"correct it and start again, or pass over it: `{way}`"
    return StoppedAtRecordError(f"stopped at record {what}", mend=mend)
