"""The results of a batch as the bytes that lie on a topic, put together from what most of them share.

`result_body` says what a result is, and what is written here is its JSON byte for byte; whatever is out of the ordinary
takes that way. To build the dictionaries and encode them cost three times as much as a small model.
"""

from __future__ import annotations

from typing import Any

from headrace.core.record import Record
from headrace.core.routing.slip import Slip
from headrace.core.wire.json import encode, encode_strictly
from headrace.core.wire.result import ResultFacts, Spent, key_fields, milliseconds, result_body, served_fields

__all__ = ["ResultWriter"]

_LARGE_MS = 1e15  # from 1e16 on Python writes numbers in another way
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
        self._texts: dict[str, str] = {}
        self._keys: dict[bytes | None, str] = {None: '"key":null'}
        self._served: dict[int, tuple[Slip | None, str]] = {}
        self._numbers: dict[float, str] = {}
        self._postprocess = _json(milliseconds(spent.postprocess_ms))

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
        begun_ms = record.begun_ms or self._spent.begun_ms
        return max(0.0, self._spent.ended_ms - (record.timestamp_ms if record.timestamp_ms >= 0 else begun_ms))

    def _spliced(self, record: Record, output: bytes | None) -> bytes | None:
        timings = self._timings(record)
        if timings is None:
            return None
        topic, partition, offset = record.source
        quoted = self._text(topic)
        place = f'"{topic}:{partition}:{offset}"'
        is_place = len(quoted) == len(topic) + 2 and record.id == place[1:-1]
        unit = record.unit
        said = "null" if record.output is None else _json(record.output) if output is None else output.decode()
        return (
            f'{{"id":{place if is_place else _json(record.id)},'
            f'"source":{{"topic":{quoted},"partition":{partition},"offset":{offset}}},'
            f'"pipeline":{self._text(self._facts.pipeline)},"plan":{self._text(record.plan or self._facts.plan)},'
            f'{self._key(record.key)},"unit":{"null" if unit is None else self._text(unit)},'
            f'"time":{self._text(self._time)},"status":"ok","reason":null,"output":{said},'
            f"{self._route(record)},{_tags(record)},{timings},"
            f'"attempt":{record.attempt}}}'
        ).encode()

    def _text(self, text: str) -> str:
        found = self._texts.get(text)
        if found is None:
            if type(text) is not str:
                raise TypeError(text)  # 1 and True are one key
            found = self._texts[text] = _json(text)
        return found

    def _key(self, key: bytes | None) -> str:
        found = self._keys.get(key)
        if found is None:
            found = self._keys[key] = _json(key_fields(key))[1:-1]
        return found

    def _route(self, record: Record) -> str:
        slip = record.slip
        found = self._served.get(id(slip))
        if found is None:  # the slip is kept, so that no other one gets its id
            found = self._served[id(slip)] = slip, _json(served_fields(record))[1:-1]
        return found[1]

    def _timings(self, record: Record) -> str | None:
        """Return the times; None for one that is too large to be written here."""
        spent, begun_ms = self._spent, record.begun_ms
        preprocess_ms = record.preprocess_ms if begun_ms else spent.preprocess_ms
        begun_ms = begun_ms or spent.begun_ms
        arrived_ms = record.timestamp_ms if record.timestamp_ms >= 0 else begun_ms
        queue, total = max(0.0, begun_ms - arrived_ms), max(0.0, spent.ended_ms - arrived_ms)
        if not (queue < _LARGE_MS and total < _LARGE_MS):
            return None
        return (
            f'"timings":{{"queue":{milliseconds(queue)},"preprocess":{self._number(preprocess_ms)},'
            f'"inference":{self._number(record.inference_ms)},"postprocess":{self._postprocess},'
            f'"total":{milliseconds(total)}}}'
        )

    def _number(self, ms: float) -> str:
        found = self._numbers.get(ms)
        if found is None:
            found = self._numbers[ms] = _json(milliseconds(ms))
        return found


def _tags(record: Record) -> str:
    if not record.experiments and not record.tags:
        return _NO_TAGS
    experiments = [{"id": one.id, "phase": one.phase, "variant": one.variant} for one in record.experiments]
    return _json({"experiments": experiments, "tags": record.tags})[1:-1]


def _json(value: Any) -> str:
    return encode_strictly(value).decode()
