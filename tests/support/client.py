"""A Kafka client that knows nothing of Headrace: librdkafka, through confluent-kafka."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple, TypeVar

from aiokafka.admin import AIOKafkaAdminClient
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourceType,
)

__all__ = ["PATIENCE_S", "Client", "Seen", "until"]

PATIENCE_S = 40.0
_TOO_EARLY = (
    KafkaError.NOT_COORDINATOR,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError._TIMED_OUT,  # the one that was asked died meanwhile
    KafkaError._DESTROY_BROKER,  # and was forgotten while it was asked
)
Answer = TypeVar("Answer")


class Seen(NamedTuple):
    """A message as a foreign consumer sees it."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    timestamp_ms: int

    @property
    def body(self) -> Any:
        return json.loads(self.value or b"null")

    @property
    def position(self) -> str:
        return f"{self.topic}:{self.partition}:{self.offset}"

    def header(self, name: str) -> str:
        """The only header of that name, as text; a second one fails."""
        found = [value for other, value in self.headers if other == name]
        assert len(found) == 1, f"{name}: {found} among {self.headers}"
        return (found[0] or b"").decode()


def until(what: str, ask: Callable[[], Answer | None], *, patience_s: float = PATIENCE_S) -> Answer:
    """Ask again and again until the answer is true-ish, and return it; fail after a while, saying what was awaited."""
    deadline = time.monotonic() + patience_s
    while not (answer := ask()):
        assert time.monotonic() < deadline, f"waited {patience_s:g} s for: {what}"
        time.sleep(0.02)
    return answer


class Client:
    """Publishes and reads as any stranger would."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self.admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})

    def producer(self, **settings: Any) -> Producer:
        return Producer({"bootstrap.servers": self.bootstrap, "linger.ms": 5, "log_level": 0, **settings})

    def make_topic(self, name: str, partitions: int = 1, **config: str) -> None:
        named = {key.replace("_", "."): value for key, value in config.items()}
        self.admin.create_topics([NewTopic(name, partitions, 1, config=named)])[name].result(20)
        until(f"topic {name}", lambda: self.partitions(name) == partitions)

    def delete_topic(self, name: str) -> None:
        self.admin.delete_topics([name])[name].result(20)
        until(f"the end of topic {name}", lambda: self.partitions(name) == 0)

    def grow_topic(self, name: str, partitions: int) -> None:
        self.admin.create_partitions([NewPartitions(name, partitions)])[name].result(20)
        until(f"the new partitions of {name}", lambda: self.partitions(name) == partitions)

    def topics(self) -> list[str]:
        """The names of all topics."""
        return [*self.admin.list_topics(timeout=20).topics]

    def partitions(self, name: str) -> int:
        """How many partitions a topic has; 0 when there is no such topic."""
        found = self.admin.list_topics(timeout=20).topics.get(name)
        return len(found.partitions) if found else 0

    def config(self, name: str) -> dict[str, str]:
        """Return the settings of a topic."""
        asked = ConfigResource(ResourceType.TOPIC, name)
        found = self.admin.describe_configs([asked])[asked].result(20)
        return {key: entry.value for key, entry in found.items()}

    def publish_in_transaction(self, topic: str, *values: bytes, is_committed: bool) -> None:
        """Send messages in one transaction, wait for all, and commit or abort it."""
        producer = self.producer(**{"transactional.id": f"{topic}-stranger"})
        producer.init_transactions(20)
        producer.begin_transaction()
        for value in values:
            producer.produce(topic, value)
        assert producer.flush(30) == 0
        if is_committed:
            producer.commit_transaction(20)
        else:
            producer.abort_transaction(20)

    def configure(self, name: str, **config: str) -> None:
        """Change settings of a topic; the others stay."""
        entries = [
            ConfigEntry(key.replace("_", "."), value, incremental_operation=AlterConfigOpType.SET)
            for key, value in config.items()
        ]
        asked = ConfigResource(ResourceType.TOPIC, name, incremental_configs=entries)
        self.admin.incremental_alter_configs([asked])[asked].result(20)

    def publish(self, topic: str, *messages: dict[str, Any], **settings: Any) -> list[str]:
        """Send messages (keyword arguments of `produce`), wait for all, return their positions in order."""
        producer, sent = self.producer(**settings), {}

        def note(at: int, error: Any, message: Message) -> None:
            assert error is None, error
            sent[at] = f"{message.topic()}:{message.partition()}:{message.offset()}"

        for at, message in enumerate(messages):
            producer.produce(topic, on_delivery=partial(note, at), **message)
            producer.poll(0)
        assert producer.flush(30) == 0
        return [sent[at] for at in range(len(messages))]

    def is_settled(self, topic: str) -> bool:
        """Whether every transaction in a topic has ended; the broker is done a little later than it says so."""
        return self.ends(topic) == self.ends(topic, **{"isolation.level": "read_uncommitted"})

    def ends(self, topic: str, **settings: Any) -> dict[int, tuple[int, int]]:
        """Return the first and the next offset of each partition; before the first open transaction, unless asked."""
        found: dict[int, tuple[int, int]] = {}

        def ask() -> bool:
            # With a new consumer each time: one that once knew a leader that then died goes on asking it.
            with self._consumer(**settings) as consumer:
                for number in sorted({*range(self.partitions(topic))} - found.keys()):
                    asked = partial(consumer.get_watermark_offsets, TopicPartition(topic, number), timeout=5)
                    if (span := _unless_too_early(asked)) is None:
                        return False
                    found[number] = span
            return True

        until(f"the ends of {topic}", ask)
        return found

    def committed(self, group: str, topic: str) -> dict[int, int]:
        """Return the group's committed offset of each partition that has one."""
        asked = [TopicPartition(topic, number) for number in range(self.partitions(topic))]
        with self._consumer(group) as consumer:
            found = until(f"the offsets of {group}", lambda: _unless_too_early(lambda: consumer.committed(asked, 20)))
        return {tp.partition: tp.offset for tp in found if tp.offset >= 0}

    def metadata(self, group: str, topic: str) -> list[str]:
        """Return what the group's committed offsets say besides, by partition.

        Asked by aiokafka: confluent-kafka was seen to read past the end of what librdkafka gives it.
        """
        count = self.partitions(topic)

        async def ask() -> list[str]:
            asked = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
            await asked.start()
            try:
                found = await asked.list_consumer_group_offsets(group)
            finally:
                await asked.close()
            at = {tp.partition: offset.metadata for tp, offset in found.items() if tp.topic == topic}
            return [at.get(number) or "" for number in range(count)]

        return asyncio.run(ask())

    def commit(self, group: str, topic: str, offsets: dict[int, int], metadata: str = "") -> None:
        """Commit offsets for a group that has no members, or none once one that just ended counts as gone."""
        wanted = [TopicPartition(topic, number, offset, metadata) for number, offset in offsets.items()]

        def ask() -> bool:
            with self._consumer(group) as consumer:
                try:
                    consumer.commit(offsets=wanted, asynchronous=False)
                except KafkaException as error:
                    if error.args[0].code() != KafkaError.UNKNOWN_MEMBER_ID:
                        raise
                    return False
            return True

        until(f"{group} to be without members", ask)

    def lag(self, group: str, topic: str) -> int:
        """Return how many messages the group has not committed."""
        committed = self.committed(group, topic)
        return sum(end - committed.get(number, first) for number, (first, end) in self.ends(topic).items())

    def delete_before(self, topic: str, offsets: dict[int, int]) -> None:
        wanted = [TopicPartition(topic, number, offset) for number, offset in offsets.items()]
        for future in self.admin.delete_records(wanted).values():
            future.result(20)

    def all(self, topic: str, **settings: Any) -> list[Seen]:
        """Return everything that a topic holds now for a reader of what is committed, each partition in its order."""
        starts = {number: first for number, (first, end) in self.ends(topic).items() if first < end}
        seen: list[Seen] = []
        with self._consumer("a-stranger", **{"enable.partition.eof": True, **settings}) as consumer:
            consumer.assign([TopicPartition(topic, number, offset) for number, offset in starts.items()])
            deadline = time.monotonic() + PATIENCE_S
            while starts:  # the last offsets may hold no message, but the end of a transaction
                assert time.monotonic() < deadline, f"waited for the end of {topic}; seen {len(seen)}"
                found = consumer.consume(1000, timeout=0.05)
                for one in filter(_is_end, found):
                    starts.pop(one.partition(), None)
                seen += _seen(one for one in found if not _is_end(one))
        return seen

    def first(self, topic: str, count: int, *, patience_s: float = PATIENCE_S) -> list[Seen]:
        """Return the messages of a topic as soon as there are that many."""
        until(f"topic {topic}", lambda: self.partitions(topic))
        starts = {number: first for number, (first, _) in self.ends(topic).items()}
        return self._read(topic, starts, count, patience_s)

    def _read(self, topic: str, starts: dict[int, int], count: int, patience_s: float) -> list[Seen]:
        seen: list[Seen] = []
        with self._consumer() as consumer:
            consumer.assign([TopicPartition(topic, number, offset) for number, offset in starts.items()])
            deadline = time.monotonic() + patience_s
            while len(seen) < count:
                assert time.monotonic() < deadline, (
                    f"waited for {count} messages in {topic}; seen {len(seen)}: {[one.value for one in seen]}"
                )
                seen += _seen(consumer.consume(1000, timeout=0.05))
        return seen

    @contextmanager
    def _consumer(self, group: str = "a-stranger", **more: Any) -> Any:
        settings = {
            "bootstrap.servers": self.bootstrap,
            "group.id": group,
            "enable.auto.commit": False,
            "fetch.wait.max.ms": 20,
            "log_level": 0,
            "fetch.message.max.bytes": 10_000_000,
            "isolation.level": "read_committed",
            **more,
        }
        consumer = Consumer(settings)
        try:
            yield consumer
        finally:
            consumer.close()


def _unless_too_early(ask: Callable[[], Answer]) -> Answer | None:
    """Return the answer; None while a topic, or the broker's own for offsets, is being made or changes its leader."""
    try:
        return ask()
    except KafkaException as error:
        if not error.args[0].retriable() and error.args[0].code() not in _TOO_EARLY:
            raise
        return None


def _is_end(message: Message) -> bool:
    error = message.error()
    return error is not None and error.code() == KafkaError._PARTITION_EOF


def _seen(messages: Iterable[Message]) -> list[Seen]:
    seen = []
    for message in messages:
        assert message.error() is None, message.error()
        headers = tuple(message.headers() or ())
        key, value = message.key(), message.value()
        where = (message.topic(), message.partition(), message.offset())
        seen.append(Seen(*where, key, value, headers, message.timestamp()[1]))
    return seen
