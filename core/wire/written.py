"""The results of a batch as the bytes that lie on a topic, put together from what most of them share.

`result_body` says what a result is, and what is written here is its JSON byte for byte; whatever is out of the ordinary
takes that way. To build the dictionaries and encode them cost three times as much as a small model.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from headrace.core.record import Record
from headrace.core.routing.slip import Slip
from headrace.core.wire.json import encode, encode_strictly
from headrace.core.wire.result import ResultFacts, Spent, key_fields, milliseconds, result_body, served_fields

__all__ = ["ResultWriter"]

_LARGE_MS = 1e15  # from 1e16 on Python writes numbers in another way
_RECENT, _SHORT = 4096, 200  # so many keys and units are remembered, as they come again, and none that is long
_NO_TAGS = '"experiments":[],"tags":{}'


class ResultWriter:
    """Writes the results of one batch.

    Args:
        facts: pipeline and plan.
        spent: times of the batch.
        time: when the results were made.
    """

    def __init__(self, facts: ResultFacts, spent: Spent, time: str) -> None:
        self._facts, self._spent, self._time = facts, spent, time
        self._pipeline, self._end = _json(facts.pipeline), f'"time":{_json(time)},"status":"ok","reason":null,"output":'
        self._plans: dict[str, str] = {}
        self._served: dict[int, tuple[Slip | None, str]] = {}
        self._spans: dict[tuple[float, float], str] = {}
        self._last: tuple[tuple[float, ...], str | None] = (), None

    def value(self, record: Record, output: bytes | None = None) -> bytes:
        """Return the body of the record's result.

        Args:
            record: it ends.
            output: its output as JSON, if that is known.

        Raises:
            TypeError: the record holds something that JSON has no form for.
        """
        is_plain = record.status == "ok" and record.reason is None and record.failure is None
        if is_plain and type(record.attempt) is int:
            try:
                written = self._spliced(record, output)
            except (TypeError, UnicodeError, ValueError, OverflowError):
                written = None  # the long way says what is wrong, or finds another form
            if written is not None:
                return written
        return encode(result_body(record, self._facts, self._spent, self._time))

    def total_ms(self, record: Record) -> float:
        """Return how long the record took, from its timestamp to its result."""
        arrived_ms: float = record.timestamp_ms
        if arrived_ms < 0:
            arrived_ms = record.begun_ms or self._spent.begun_ms
        total = self._spent.ended_ms - arrived_ms
        return total if total > 0 else 0.0  # max() takes as long as all the rest

    def _spliced(self, record: Record, output: bytes | None) -> bytes | None:
        timings = self._timings(record)
        if timings is None:
            return None
        topic, partition, offset = record.source
        source, is_plain = _topic(topic)
        place = f"{topic}:{partition}:{offset}"
        id = f'"{place}"' if is_plain and record.id == place else _json(record.id)
        plan = self._plans.get(record.plan) or self._plan(record.plan)
        said = "null" if record.output is None else _json(record.output) if output is None else output.decode()
        return (
            f'{{"id":{id},{source}{partition},"offset":{offset}}}{plan}{_key(record.key)},"unit":{_unit(record.unit)},'
            f'{self._end}{said},{self._route(record)},{_tags(record)},{timings},"attempt":{record.attempt}}}'
        ).encode()

    def _plan(self, plan: str) -> str:
        found = self._plans[plan] = f',"pipeline":{self._pipeline},"plan":{_json(plan or self._facts.plan)},'
        return found

    def _route(self, record: Record) -> str:
        slip = record.slip
        found = self._served.get(id(slip))
        if found is None:  # the slip is kept, so that no other one gets its id
            found = self._served[id(slip)] = slip, _json(served_fields(record))[1:-1]
        return found[1]

    def _timings(self, record: Record) -> str | None:
        """Return the times; None for one that is too large to be written here.

        To write three numbers takes as long as all the rest, and in a backlog many records arrived in the same
        millisecond.
        """
        facts = record.timestamp_ms, record.begun_ms, record.preprocess_ms, record.inference_ms
        if facts != self._last[0]:
            self._last = facts, self._timed(record)
        return self._last[1]

    def _timed(self, record: Record) -> str | None:
        spent, begun_ms = self._spent, record.begun_ms
        preprocess_ms = record.preprocess_ms if begun_ms else spent.preprocess_ms
        begun_ms = begun_ms or spent.begun_ms
        arrived_ms = record.timestamp_ms if record.timestamp_ms >= 0 else begun_ms
        queue, total = begun_ms - arrived_ms, spent.ended_ms - arrived_ms
        queue, total = queue if queue > 0 else 0.0, total if total > 0 else 0.0
        if not (queue < _LARGE_MS and total < _LARGE_MS):
            return None
        spans = preprocess_ms, record.inference_ms
        return (
            f'"timings":{{"queue":{int(queue * 1000 + 0.5) / 1000}{self._spans.get(spans) or self._between(spans)}'
            f"{int(total * 1000 + 0.5) / 1000}}}"
        )

    def _between(self, spans: tuple[float, float]) -> str:
        before, inference, after = (_json(milliseconds(ms)) for ms in (*spans, self._spent.postprocess_ms))
        text = f',"preprocess":{before},"inference":{inference},"postprocess":{after},"total":'
        self._spans[spans] = text
        return text


@lru_cache(maxsize=64)
def _topic(topic: str) -> tuple[str, bool]:
    """Return what comes before the partition, and whether the topic needs no escapes."""
    quoted = _json(topic)
    return f'"source":{{"topic":{quoted},"partition":', quoted == f'"{topic}"'


def _unit(unit: str | None) -> str:
    if unit is None:
        return "null"
    return _short_text(unit) if len(unit) <= _SHORT else _json(unit)


@lru_cache(maxsize=_RECENT, typed=True)  # a tuple has a length, too, and (1,) and (True,) are one key
def _short_text(text: str) -> str:
    if type(text) is not str:
        raise TypeError(text)
    return _json(text)


def _key(key: bytes | None) -> str:
    if key is None:
        return '"key":null'
    return _short_key(key) if len(key) <= _SHORT else _json(key_fields(key))[1:-1]


@lru_cache(maxsize=_RECENT)
def _short_key(key: bytes) -> str:
    return _json(key_fields(key))[1:-1]


def _tags(record: Record) -> str:
    if not record.experiments and not record.tags:
        return _NO_TAGS
    experiments = [{"id": one.id, "phase": one.phase, "variant": one.variant} for one in record.experiments]
    return _json({"experiments": experiments, "tags": record.tags})[1:-1]


def _json(value: Any) -> str:
    return encode_strictly(value).decode()
