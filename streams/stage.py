"""The service that owns one stage's consumer and producers, and runs the record loop between them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaProducer, ConsumerRebalanceListener
from aiokafka.errors import KafkaError, OffsetMetadataTooLargeError
from mode import Service

from headrace.core.errors import HeadraceError
from headrace.core.plan.plan import Plan
from headrace.core.plan.stages import GroupPlan, StagePlan
from headrace.core.wire.frame import records_in
from headrace.core.wire.kept import state_topic
from headrace.core.wire.retry import due_ms
from headrace.streams.access.connection import Connection
from headrace.streams.access.denial import denial
from headrace.streams.ahead import Ahead
from headrace.streams.alone import Alone
from headrace.streams.at_least_once import AtLeastOnce
from headrace.streams.batch_limit import BatchLimit
from headrace.streams.bounded_consumer import BoundedConsumer
from headrace.streams.commit import Committer
from headrace.streams.dead_letter import DeadLetters
from headrace.streams.delivery import Delivery
from headrace.streams.drain import Ending
from headrace.streams.errors import DuplicateWorkerError, StoppedAtRecordError, UnexpectedError
from headrace.streams.exactly_once import ExactlyOnce
from headrace.streams.fence import Fence
from headrace.streams.fullness import Fullness
from headrace.streams.gate import Gate
from headrace.streams.health import Health
from headrace.streams.hold import Held, Holding, HoldRules
from headrace.streams.join import Joiner
from headrace.streams.join_state import read_state
from headrace.streams.journal import Journal
from headrace.streams.link import Outbound, same_partition
from headrace.streams.live import Live
from headrace.streams.loop import RecordLoop
from headrace.streams.loop_settings import LoopSettings
from headrace.streams.meter import Meter
from headrace.streams.originals import Originals
from headrace.streams.pace import Pace
from headrace.streams.pipe import Pipe
from headrace.streams.position import take_positions
from headrace.streams.postbag import Postbag
from headrace.streams.purge import Purge
from headrace.streams.sender import Sender
from headrace.streams.spread import Spread
from headrace.streams.suspects import Suspects
from headrace.streams.ticks import Ticks
from headrace.streams.topic_facts import LARGEST_REQUEST_BYTES, TopicFacts
from headrace.streams.transactions import TRANSACTION_S, Transactions

__all__ = ["REBALANCE_TIMEOUT_MS", "StageService", "WorkerParts"]

log = logging.getLogger(__name__)

REBALANCE_TIMEOUT_MS = 30_000
"""How long the group waits for a worker to end its batches in flight; batches stay far below it."""

SESSION_TIMEOUT_MS = 6_000  # a killed worker's partitions move on after this; the broker's least is 6 s
HEARTBEAT_MS = 1_000
MAX_POLL_INTERVAL_MS = 300_000
TIDY_EVERY_S = 3.0

FETCH_BYTES = 1 << 20  # of one partition at once; aiokafka's default
AHEAD_BYTES = 64 << 20  # what aiokafka may hold of all partitions, for it knows no limit of its own


@dataclass(frozen=True)
class WorkerParts:
    """What the worker made before its stages start.

    Attributes:
        plan: what runs.
        group: the stages of this process.
        pipe: their opened steps.
        executor: has one thread, so that steps run one batch at a time.
        connection: the broker.
        topics: as the broker has them.
        health: whether the worker is ready.
        meter: its figures.
        live: what may change while it runs.
        gate: opened once the links of an earlier plan are drained; ingress reads nothing before.
        worker: the worker's name; None takes part unnamed.
        instance: what tells this worker from others, also without a name.
        ending: how it is told to end.
        joiner: egress's joins, when it is in this process and has any whose answers come over its link.
        links: topics of stages that the plan calls in this process, and that an earlier one gave a link.
        alone: lets one suspect have the process for itself.
    """

    plan: Plan
    group: GroupPlan
    pipe: Pipe
    executor: Executor
    connection: Connection
    topics: Mapping[str, TopicFacts]
    health: Health
    meter: Meter
    live: Live
    gate: Gate
    worker: str | None
    instance: str
    ending: Ending
    joiner: Joiner | None = None
    links: Mapping[str, str] = field(default_factory=dict)
    alone: Alone = field(default_factory=Alone)


class StageService(Service):  # type: ignore[misc]  # mode has no types
    """Consumer, producers and record loop of one stage that reads a topic."""

    parts: WorkerParts
    stage: StagePlan
    logger = logging.getLogger("mode.stage")  # mode's own start and stop lines; ours say more

    async def on_start(self) -> None:
        """Connect, and join the consumer group."""
        self._done: dict[Any, int] = {}
        self._is_begun = False
        self._consumer = self._new_consumer(self.stage.consumer_group)
        self._originals = Originals(lambda: self._new_consumer(None))
        self._purge = Purge(self.parts.connection) if self.stage.kind != "ingress" or self._aside else None
        self._spread = Spread(self.parts.connection, self.parts.plan) if self._balances else None
        self._journal = Journal(self.stage.name, self._reach)
        self._ahead = self._new_ahead() if self.stage.kind == "ingress" else None
        self._fullness = self._new_fullness()
        self._delivery = self._new_delivery()
        self._holding = Holding(HoldRules.of(self.parts.plan.delivery))
        self._loop = self._new_loop()
        await self._delivery.start()
        self.parts.pipe.settles(self._loop.landed)
        if self.stage.kind == "ingress":
            self.parts.pipe.holds(self._loop.held)
        reads = [self.stage.reads, *([self._aside] if self._aside else [])]
        self._consumer.subscribe(reads, listener=_Listener(self._loop, self.stage, self._refuse_rival()))
        await self._consumer.start()
        self.parts.ending.add(self._drain)
        self._run = asyncio.create_task(self._guard())
        self._tidy = asyncio.create_task(self._tidying())
        if self._ahead is not None:
            self._ahead.start()

    async def on_stop(self) -> None:
        """Leave the group and close the clients; when Faust crashed, the batches in flight end first."""
        await self._drain()
        self._tidy.cancel()
        if not self._is_begun:  # it still waits for the links to drain
            self._run.cancel()
        await asyncio.gather(self._run, self._tidy, return_exceptions=True)
        await self._originals.close()
        await self._consumer.stop()
        await self._delivery.close()
        for helper in (self._purge, self._spread, self._ahead):
            if helper is not None:
                await helper.close()

    @property
    def _joiner(self) -> Joiner | None:
        return self.parts.joiner if self.stage.kind == "egress" else None

    @property
    def _aside(self) -> str | None:
        """The topic of records that wait to be tried again, which ingress reads; also of an earlier plan."""
        topic = self.parts.plan.retry_topic
        return topic if self.stage.kind == "ingress" and topic in self.parts.topics else None

    @property
    def _width(self) -> int:
        """How many partitions there are of what it reads; other workers may read some of them."""
        facts = self.parts.topics.get(self.stage.reads or "")
        return max(1, facts.partitions) if facts is not None else 1

    @property
    def _reach(self) -> int:
        """How many records two batches may have; of a link, the last frame of each may reach over."""
        most = self.parts.plan.batch.max_records
        return 2 * most if self.stage.kind == "ingress" else 2 * (2 * most - 1)

    @property
    def _balances(self) -> bool:
        return self.parts.plan.link.balance == "least_lag"

    async def _drain(self) -> bool:
        """No new batch; every batch in flight ends and is committed. Returns whether they all did."""
        try:
            return await self._loop.stop()
        except (KafkaError, TimeoutError) as error:  # the broker may be gone; what is not committed is read again
            log.warning("the last commit failed, those records will be read again: %s", error)
            return False

    async def _guard(self) -> None:
        try:
            if self.stage.kind == "ingress":
                await self.parts.gate.opened()
            self._is_begun = True
            await self._loop.run()
        except HeadraceError as error:
            self.parts.ending.fail(error)
        except BaseException as error:  # noqa: BLE001 - a loop that is gone must not look like one that has no work
            fault = f"the record loop of {self.stage.name} ended by {type(error).__name__}: {error}"
            self.parts.ending.fail(UnexpectedError(fault, mend="report it with the log"))

    def _refuse_rival(self) -> Callable[[], None]:
        worker = self.parts.worker
        if not worker:
            return lambda: None  # members without a name cannot push each other out
        fence = Fence(worker)

        def look() -> None:
            try:
                fence.joined(self._consumer._coordinator.member_id)  # aiokafka tells it nowhere else
            except DuplicateWorkerError as error:
                self.parts.ending.fail(error)

        return look

    async def _tidying(self) -> None:
        """Every few seconds: tell the lag, delete what is read of a link, look where the next stages lag least."""
        while True:
            self._note_lag()
            self._note_held()
            if self._purge is not None:
                own = {tp: offset for tp, offset in self._done.items() if offset}
                is_input = self.stage.kind == "ingress"
                await self._purge.run({tp: at for tp, at in own.items() if not is_input or tp.topic == self._aside})
            if self._spread is not None:
                await self._spread.look()
            if self._fullness is not None:
                await self._fullness.tell({tp.partition for tp in self._consumer.assignment()})
            await asyncio.sleep(TIDY_EVERY_S)

    def _note_held(self) -> None:
        assigned = {(tp.topic, tp.partition) for tp in self._consumer.assignment()}
        held = {tp[1]: why for tp, why in self._holding.known(assigned).items()}
        full = self._full()
        held |= {at: f"{full[at]} records wait at egress" for _, at in assigned if at in full}
        self.parts.health.hold(self.stage.name, held)
        self.parts.meter.held(self.stage.name, len(held))

    def _note_lag(self) -> None:
        # Up to the first open transaction: what lies behind it is not to be read yet, or never.
        ends = {tp: self._consumer.last_stable_offset(tp) for tp in self._consumer.assignment() if tp in self._done}
        lags = {tp: max(0, end - self._done[tp]) for tp, end in ends.items() if end is not None}
        aside = {tp.partition: lag for tp, lag in lags.items() if tp.topic == self._aside}
        self.parts.meter.lag(self.stage.name, {tp.partition: it for tp, it in lags.items() if tp.topic != self._aside})
        if aside:
            self.parts.meter.lag(f"{self.stage.name}.retry", aside)

    def _new_ahead(self) -> Ahead:
        parts = self.parts
        return Ahead(parts.connection, parts.plan, lambda: parts.live.state.stopped_models)

    def _full(self) -> Mapping[int, int]:
        """Return the partitions of which no more is to be read, since egress has all that it can hold of them."""
        return self.parts.live.state.full if self.stage.kind == "ingress" and self.parts.plan.keeps_state else {}

    def _new_fullness(self) -> Fullness | None:
        parts, joiner = self.parts, self._joiner
        if joiner is None or not parts.plan.keeps_state:
            return None
        return Fullness(parts.connection, parts.plan.pipeline, joiner, parts.live, parts.instance)

    def _new_loop(self) -> RecordLoop:
        plan, parts, stage = self.parts.plan, self.parts, self.stage
        choose = self._spread.choose if self._spread else same_partition
        outbound = Outbound(plan, stage.name, choose, parts.links)
        joiner = self._joiner
        is_link = stage.kind != "ingress"
        way = stage.name, outbound, joiner, self._holding
        ahead = self._ahead
        return RecordLoop(
            consumer=self._consumer,
            process=parts.pipe.entry(*way),
            executor=parts.executor,
            delivery=self._delivery,
            resume=self._resume,
            limit=BatchLimit(plan.batch.max_records, REBALANCE_TIMEOUT_MS / 1000 / 8),
            health=parts.health,
            meter=parts.meter,
            settings=LoopSettings(
                # A frame waited to fill before it was sent: waiting again at each link made each cost 10 ms, not 4.
                max_wait_ms=0 if is_link else plan.batch.max_wait,
                stage=stage.name,
                weigh=(lambda message: records_in(message.value)) if is_link else None,
                paused=lambda: parts.live.state.paused.get(stage.name),
                waits=lambda: ahead is not None and ahead.holds,
                full=self._full,
                holding=self._holding,
                pace=Pace(None if is_link else plan.delivery.rate),
                suspects=Suspects(
                    journal=self._journal,
                    write=self._delivery.mark,
                    condemn=parts.pipe.condemning(*way),
                    alone=parts.alone,
                    stage=stage.name,
                    is_link=is_link,
                    due=lambda partition, now_ms: joiner.first_due(partition, now_ms) if joiner is not None else None,
                    due_ms=lambda: joiner.due_ms if joiner is not None else {},
                ),
                early_s=self._early_s if self._aside else None,
                on_final=self._stopped_at,
                on_delivered=lambda outcome: joiner.delivered(outcome.slots) if joiner is not None else None,
                denied=self._denied,
                ticks=Ticks(self._consumer, joiner).due if joiner is not None else None,
            ),
        )

    def _early_s(self, topic: str, raw: Any) -> float:
        return due_ms(raw.headers) / 1000 - time.time() if topic == self._aside else 0.0

    def _denied(self, error: Exception) -> HeadraceError | None:
        """Return what an error of the loop says of rights: of the group, of what is read, or of what is written."""
        found = denial(error, self.parts.connection, operation="Write", group=self.stage.consumer_group)
        if found is not None and found.name in ("", self.stage.reads, self.parts.plan.input.topic):
            # What aiokafka does not name is what offsets were to be committed of, in a transaction.
            return denial(error, self.parts.connection, operation="Read", topic=found.name or str(self.stage.reads))
        return found

    def _stopped_at(self, held: Held) -> HeadraceError:
        failure, stage = held.failure, self.stage
        what = f"{held.source} failed at {failure.stage}: {failure.code} {failure.message}"
        # The end of a join may have come with a message of others, or with none, since its time was over; and what
        # waited aside lies in another topic.
        is_elsewhere = self._joiner is not None or held.carrier.topic != stage.reads
        one = f"--record {held.source}" if is_elsewhere else f"--partition {held.carrier.partition}"
        way = f"headrace skip {self.parts.plan.file} --stage {stage.name} {one}"
        mend = f"correct it and start again, or pass over it: `{way}`"
        return StoppedAtRecordError(f"stopped at record {what}", mend=mend)

    def _new_delivery(self) -> Delivery:
        plan, topics = self.parts.plan, self.parts.topics
        letters = DeadLetters(plan, self.stage.name, self._originals.read)
        assigned, every_ms = self._consumer.assignment, plan.delivery.commit_every
        if plan.delivery.guarantee == "exactly_once":
            return ExactlyOnce(
                Transactions(self._new_transactional, self.stage.consumer_group),
                Postbag(letters, topics),
                assigned=assigned,
                every_ms=every_ms,
                on_commit=self._committed,
                words=self._journal.words,
                mark=self._mark,
            )
        compacted = [name for name, facts in topics.items() if facts.is_compacted]
        producers = self._new_producer(), self._new_producer(compression_type="gzip")
        return AtLeastOnce(
            Sender(*producers, letters, compacted), Committer(self._commit, assigned, every_ms), producers, self._mark
        )

    async def _resume(self, is_intact: bool) -> Mapping[Any, int]:
        tps = self._consumer.assignment()
        source = self.parts.plan.input
        if self.stage.kind == "ingress":
            await self.parts.gate.grown(tps)
            self.parts.pipe.read_anew()
        own = source if self.stage.kind == "ingress" else source.link()
        aside = {tp for tp in tps if tp.topic == self._aside}
        gap = self.parts.meter.gap
        positions = await take_positions(self._consumer, tps - aside, own, gap, self._done)
        waiting = await take_positions(self._consumer, aside, source.link(), gap, self._done)
        if self._joiner is not None and is_intact:
            self._joiner.rewind()
        elif self._joiner is not None:
            state = state_topic(self.parts.plan.pipeline)
            kept = await read_state(lambda fetch: self._new_consumer(None, fetch), state, [tp.partition for tp in tps])
            self._joiner.restore(kept)
        self._done.clear()
        self._done.update({tp: await self._consumer.position(tp) for tp in tps})
        self._journal.begin({**positions.found, **waiting.found})
        return {**positions.chosen, **waiting.chosen}

    async def _commit(self, offsets: Mapping[Any, int]) -> None:
        await self._consumer.commit({tp: (offset, self._journal.words(tp, offset)) for tp, offset in offsets.items()})
        self._committed(offsets)

    def _committed(self, offsets: Mapping[Any, int]) -> None:
        self._done.update(offsets)
        self._journal.committed(offsets)

    async def _mark(self, partitions: Iterable[Any]) -> None:
        assigned = self._consumer.assignment()
        at = {tp: self._done[tp] for tp in partitions if tp in assigned}
        if not at:
            return
        try:
            await self._consumer.commit({tp: (offset, self._journal.words(tp, offset)) for tp, offset in at.items()})
        except OffsetMetadataTooLargeError:
            self._journal.give_up()

    def _new_transactional(self, id: str) -> AIOKafkaProducer:
        timeout_ms = int(TRANSACTION_S * 1000)
        return self._new_producer(transactional_id=id, transaction_timeout_ms=timeout_ms)

    def _new_producer(self, **more: Any) -> AIOKafkaProducer:
        limits = [facts.max_message_bytes for facts in self.parts.topics.values()]
        return AIOKafkaProducer(
            **self.parts.connection.options,
            client_id=self._client_id("producer"),
            acks="all",
            linger_ms=0,
            # A batch of many small results must fit the smallest topic, or none of them could ever be sent.
            max_batch_size=min(131_072, *limits),
            # Refusals are the broker's to make: it knows each topic's own limit.
            max_request_size=LARGEST_REQUEST_BYTES,
            **more,
        )

    def _new_consumer(self, group: str | None, fetch_bytes: int = FETCH_BYTES) -> BoundedConsumer:
        worker, source = self.parts.worker, self.parts.plan.input
        return BoundedConsumer(
            limits={source.topic: source.max_batch_bytes},
            **self.parts.connection.options,
            client_id=self._client_id("consumer"),
            group_id=group,
            group_instance_id=f"{worker}-{self.stage.name}" if worker and group else None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            session_timeout_ms=SESSION_TIMEOUT_MS,
            heartbeat_interval_ms=HEARTBEAT_MS,
            rebalance_timeout_ms=REBALANCE_TIMEOUT_MS,
            max_poll_interval_ms=MAX_POLL_INTERVAL_MS,
            # New partitions, and a topic made anew, are seen within this time; 5 minutes by default.
            metadata_max_age_ms=10_000,
            max_partition_fetch_bytes=min(fetch_bytes, AHEAD_BYTES // self._width),
            fetch_max_wait_ms=100,
            fetch_min_bytes=1,
        )

    def _client_id(self, role: str) -> str:
        return f"headrace-{self.parts.plan.pipeline}-{self.parts.instance}-{role}"


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """Tells the loop when partitions come and go."""

    def __init__(self, loop: RecordLoop, stage: StagePlan, on_joined: Callable[[], None]) -> None:
        self._loop, self._stage, self._on_joined = loop, stage, on_joined

    async def on_partitions_revoked(self, revoked: Any) -> None:
        """Called before the group is joined anew; the partitions are ours until this returns."""
        if revoked:
            await self._loop.revoked()

    def on_partitions_assigned(self, assigned: Any) -> None:
        """Called when the group has agreed."""
        self._loop.assigned()
        self._on_joined()
        log.info(
            "%s: partitions assigned: %s",
            self._stage.name,
            sorted(tp.partition for tp in assigned if tp.topic == self._stage.reads),
        )
