"""A consumer that unpacks no compressed batch beyond a limit: one message without a value stands for a larger one."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer
from aiokafka.consumer.fetcher import FetchResult

from headrace.core.record import Unread
from headrace.streams.unpacking import BeyondLimitError, at_most, guard

__all__ = ["BoundedConsumer"]


class BoundedConsumer(AIOKafkaConsumer):  # type: ignore[misc]  # aiokafka has no types
    """An aiokafka consumer with a limit for the topics that others write to.

    aiokafka makes its fetcher while it starts, and may fetch before that call returns; so the fetcher is taken hold of
    where the consumer puts it.

    Args:
        limits: by topic, to how many bytes a batch may unpack.
    """

    def __init__(self, *topics: str, limits: Mapping[str, int], **settings: Any) -> None:
        guard()
        self._limits = dict(limits)
        super().__init__(*topics, **settings)

    @property
    def _fetcher(self) -> Any:
        return self._held_fetcher

    @_fetcher.setter
    def _fetcher(self, fetcher: Any) -> None:
        self._held_fetcher = fetcher
        if fetcher is None:
            return
        proceed = fetcher._proc_fetch_request

        async def bounded(*given: Any) -> Any:
            arrived = await proceed(*given)
            for tp, result in fetcher._records.items():
                if tp.topic in self._limits and isinstance(result, FetchResult):
                    _bound(result._partition_records, self._limits[tp.topic])
            return arrived

        fetcher._proc_fetch_request = bounded


def _bound(records: Any, limit: int) -> None:
    """Let what was fetched of a partition, and not read yet, be unpacked within a limit."""
    if records is not None and not isinstance(records._records, _Batches):
        records._records = _Batches(records, limit)


class _Batches:
    """The batches of a fetch, as aiokafka's iterator asks for them.

    The iterator holds them, so it is held weakly: a circle would keep a megabyte of each fetch until Python looks for
    circles.
    """

    def __init__(self, reader: Any, limit: int) -> None:
        self._reader, self._batches, self._limit = weakref.ref(reader), reader._records, limit

    def has_next(self) -> bool:
        return bool(self._batches.has_next())

    def next_batch(self) -> Any:
        batch = self._batches.next_batch()
        is_plain = batch is None or not batch.compression_type or batch.is_control_batch
        return batch if is_plain else _Packed(batch, self._reader, self._limit)


class _Packed:
    """A compressed batch: its records, or one that stands for all of them."""

    def __init__(self, batch: Any, reader: Callable[[], Any], limit: int) -> None:
        self._batch, self._reader, self._limit = batch, reader, limit

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __iter__(self) -> Iterator[Any]:
        try:
            with at_most(self._limit):
                return iter(self._batch)  # which unpacks it
        except BeyondLimitError:
            first, last = max(self._batch.base_offset, self._reader().next_fetch_offset), self._batch.next_offset - 1
            return iter([_Stand(first, self._batch.max_timestamp, Unread(first, last, self._limit))])


class _Stand(NamedTuple):
    """What is given in place of the records of a batch, at the offset of the first one."""

    offset: int
    timestamp: int
    value: Unread
    timestamp_type: int = 0
    key: bytes | None = None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    checksum: int | None = None
