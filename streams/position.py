"""Where reading begins after every assignment: at the committed offset, else where the file says."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from headrace.core.plan.plan import InputPlan
from headrace.streams.errors import OffsetGapError
from headrace.streams.journal import Found

__all__ = ["Positions", "take_positions"]

log = logging.getLogger(__name__)


class Positions(NamedTuple):
    """Where reading begins.

    Attributes:
        chosen: the offsets where none had been committed, or what was had gone, or was older than what we know. They
            must be committed at once: `latest` would mean another offset after a crash.
        found: what the journal may want to know of the other partitions.
    """

    chosen: dict[Any, int]
    found: dict[Any, Found]


async def take_positions(
    consumer: Any,
    partitions: Iterable[Any],
    source: InputPlan,
    on_gap: Callable[[], None],
    ours: Mapping[Any, int] | None = None,
) -> Positions:
    """Seek every partition, and return where to.

    Kafka 4.3 was seen to give offsets from a minute before, when it had been killed and was too busy while it loaded
    the group: it had acknowledged later ones, and they lay in its log. Whoever committed those knows better.

    Args:
        consumer: an aiokafka consumer with these partitions assigned.
        partitions: the assigned partitions.
        source: says where a pipeline that never ran begins, and what a gap means.
        on_gap: called for each gap that is passed over.
        ours: offsets of which the broker told this process that they are committed.

    Raises:
        OffsetGapError: HR215, a committed offset is gone and the file says stop.
    """
    tps = list(partitions)
    if not tps:
        return Positions({}, {})
    first, end = await consumer.beginning_offsets(tps), await consumer.end_offsets(tps)
    # aiokafka's `committed()` asks for one partition at a time, and keeps the metadata for itself.
    known = await consumer._coordinator.fetch_committed_offsets(tps)
    fresh: dict[Any, int] = {}
    found: dict[Any, Found] = {}
    for tp in tps:
        committed = known[tp].offset if tp in known else None
        own = (ours or {}).get(tp, -1)
        if committed is not None and committed < own <= end[tp]:
            log.warning("%s:%d is committed up to %d, and Kafka says %d", tp.topic, tp.partition, own, committed)
            fresh[tp] = own
            consumer.seek(tp, own)
            continue
        if committed is not None and first[tp] <= committed <= end[tp]:
            consumer.seek(tp, committed)
            found[tp] = Found(committed, known[tp].metadata, end[tp])
            continue
        if committed is not None:
            _pass_gap(tp, committed, first[tp], end[tp], source)
            on_gap()
            fresh[tp] = first[tp]
        else:
            fresh[tp] = await _start(consumer, tp, source.start, first[tp], end[tp])
        consumer.seek(tp, fresh[tp])
    return Positions(fresh, found)


def _pass_gap(tp: Any, committed: int, first: int, end: int, source: InputPlan) -> None:
    if source.on_gap == "continue":
        return
    what = "its records expired" if committed < first else "the topic was made anew"
    raise OffsetGapError(
        f"{tp.topic}:{tp.partition} was read up to {committed}, but holds {first} to {end}: {what}",
        mend="set input: {on_gap: continue} to go on with what is there",
        place=source.place,
    )


async def _start(consumer: Any, tp: Any, start: str, first: int, end: int) -> int:
    if start in ("earliest", "latest"):
        return first if start == "earliest" else end
    moment = datetime.fromisoformat(start)
    epoch_ms = int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
    found = (await consumer.offsets_for_times({tp: epoch_ms}))[tp]
    return end if found is None else int(found.offset)
