"""A consumer that gives whole runs of messages at once, and unpacks no compressed batch beyond a limit."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import islice
from typing import Any, NamedTuple, Self

from aiokafka import AIOKafkaConsumer
from aiokafka.consumer.fetcher import FetchResult
from aiokafka.errors import CorruptRecordException

from headrace.core.record import Message, Position, Unread
from headrace.streams.checked import check_batches
from headrace.streams.rejoining import Rejoining
from headrace.streams.unpacking import BeyondLimitError, at_most, guard

__all__ = ["BoundedConsumer"]

_MOST_AT_ONCE, _USUAL_BYTES = 256, 256 << 10
_SAMPLE = 8  # the size of each so many is looked at


class BoundedConsumer(Rejoining, AIOKafkaConsumer):  # type: ignore[misc]  # aiokafka has no types
    """An aiokafka consumer whose records are `Message`s, with a limit for the topics that others write to.

    aiokafka makes an object of each record in a generator, which took as long as all else that is done to read it. Here
    the records of a fetch are made some hundreds at a time. What was aborted, and where reading goes on, is aiokafka's
    business as ever.

    It makes its fetcher while it starts, and may fetch before that call returns; so the fetcher is taken hold of where
    the consumer puts it.

    Args:
        limits: by topic, to how many bytes a batch may unpack.
    """

    def __init__(self, *topics: str, limits: Mapping[str, int], **settings: Any) -> None:
        guard()
        check_batches()
        self._limits = dict(limits)
        super().__init__(*topics, check_crcs=False, **settings)

    def stay(self) -> None:
        """Count as polled, where there is nothing to poll yet, and hear what is wrong.

        aiokafka does not join a group for a reader that has not polled for five minutes, nor for one that has not heard
        of an error. After an outage both would wait for each other for ever.

        Raises:
            KafkaError: what keeps it from its group.
        """
        self._coordinator.check_errors()
        with self._subscription.fetch_context():
            pass

    @property
    def _fetcher(self) -> Any:
        return self._held_fetcher

    @_fetcher.setter
    def _fetcher(self, fetcher: Any) -> None:
        self._held_fetcher = fetcher
        if fetcher is None:
            return
        proceed = fetcher._proc_fetch_request

        async def taken(*given: Any) -> Any:
            arrived = await proceed(*given)
            for tp, result in fetcher._records.items():
                if isinstance(result, FetchResult):
                    _take_hold(result, self._limits.get(tp.topic))
            return arrived

        fetcher._proc_fetch_request = taken


def _take_hold(result: Any, limit: int | None) -> None:
    """Let what was fetched of a partition, and not read yet, be read here."""
    records = result._partition_records
    if records is not None and not isinstance(records, _Reading):
        records._records = _Batches(records, limit)
        records._consumer_record = _as_it_is
        result._partition_records = _Reading(records)
        # Weakly, or what is dropped unread stays until Python looks for circles. aiokafka takes no class but its own.
        result.getall = partial(_all, weakref.proxy(result))


def _all(result: Any, max_records: int | None = None) -> list[Message]:
    """Do what aiokafka's `getall` does, which takes the messages one by one."""
    if not result.check_assignment(result._topic_partition) or not result.has_more():
        return []
    reading: _Reading = result._partition_records
    found = reading.take(max_records)
    result._update_position()
    if reading.is_over:
        result._partition_records = None
    return found


def _as_it_is(tp: Any, run: _Run) -> _Run:
    """Stand in for what makes a record of aiokafka's of each that is read."""
    return run


class _Run(NamedTuple):
    """Messages that follow each other in one batch, the last one first.

    Attributes:
        offset: of the last record that they were made of.
        messages: those that were asked for.
    """

    offset: int
    messages: list[Message]


class _Reading:
    """What was fetched of a partition, message by message, as aiokafka's result of a fetch asks for it."""

    def __init__(self, runs: Any) -> None:
        self._runs: Any = runs
        self._left: list[Message] = []
        self.is_over = False

    @property
    def next_fetch_offset(self) -> int:
        """The offset of the next message, or from where to fetch more."""
        return self._left[-1].position.offset if self._left else int(self._runs.next_fetch_offset)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Message:
        if not self._left:
            self._left = next(self._runs).messages
        return self._left.pop()

    def take(self, most: int | None) -> list[Message]:
        """Return so many messages, or all that are left, which `is_over` tells then.

        Raises:
            CorruptRecordException: a batch is not what was written.
        """
        found: list[Message] = []
        while most is None or len(found) < most:
            if not self._left:
                run = next(self._runs, None)
                if run is None:
                    self.is_over = True
                    break
                self._left = run.messages
            count = len(self._left) if most is None else min(len(self._left), most - len(found))
            found += self._left[-count:][::-1]
            del self._left[-count:]
        return found


class _Batches:
    """The batches of a fetch, as aiokafka's iterator asks for them.

    The iterator holds them, so it is held weakly: a circle would keep a megabyte of each fetch until Python looks for
    circles.
    """

    def __init__(self, reader: Any, limit: int | None) -> None:
        self._reader, self._batches, self._limit = weakref.ref(reader), reader._records, limit
        self._tp = reader._tp

    def has_next(self) -> bool:
        return bool(self._batches.has_next())

    def next_batch(self) -> Any:
        try:
            batch = self._batches.next_batch()
        except CorruptRecordException as error:
            tp = self._tp
            raise CorruptRecordException(f"{tp.topic}:{tp.partition}: {error.args[0]}") from None
        return batch if batch is None or batch.is_control_batch else _Batch(batch, self._reader, self._limit)


class _Batch:
    """A batch in runs of messages, or in one that stands for all of them."""

    def __init__(self, batch: Any, reader: Callable[[], Any], limit: int | None) -> None:
        self._batch, self._reader, self._limit = batch, reader, limit

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __iter__(self) -> Iterator[_Run]:
        try:
            records = self._unpacked()
        except BeyondLimitError:
            yield self._stand()
            return
        topic, partition = self._reader()._tp
        count, new = 1, tuple.__new__  # a NamedTuple's own costs twice as much
        while some := list(islice(records, count)):
            wanted = self._reader().next_fetch_offset  # a compressed batch may begin before it
            messages = [
                Message(new(Position, (topic, partition, it.offset)), it.key, it.value, tuple(it.headers), it.timestamp)
                for it in reversed(some)
                if it.offset >= wanted
            ]
            if messages:
                sample = messages[::_SAMPLE]  # now, since whoever takes the messages takes them out of their list
                size = sum(len(message.value or b"") for message in sample)
                count = max(1, min(_MOST_AT_ONCE, _USUAL_BYTES * len(sample) // max(1, size)))
                yield _Run(some[-1].offset, messages)

    def _unpacked(self) -> Iterator[Any]:
        """Return the records; a batch may be asked for an iterator only once."""
        if self._limit is None or not self._batch.compression_type:
            return islice(self._batch, None)
        with at_most(self._limit):
            return islice(self._batch, None)  # which unpacks it

    def _stand(self) -> _Run:
        """Return the message that is given in place of those of the batch, at the offset of the first one."""
        reader, limit = self._reader(), self._limit or 0
        first, last = max(self._batch.base_offset, reader.next_fetch_offset), self._batch.next_offset - 1
        topic, partition = reader._tp
        value, at = Unread(first, last, limit), Position(topic, partition, first)
        return _Run(first, [Message(at, None, value, (), self._batch.max_timestamp)])
