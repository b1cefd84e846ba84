"""Publish dead letters again: first look which, then send them in transactions, each with its mark."""

from __future__ import annotations

import asyncio
import time
from array import array
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from headrace.core.errors import HeadraceError
from headrace.core.plan.access import Rule
from headrace.core.plan.plan import Plan
from headrace.core.wire.mark import Mark, encode_mark, marks_topic, redrive_id
from headrace.streams.access.connection import Connection
from headrace.streams.access.denial import denials
from headrace.streams.access.preflight import refuse_denied
from headrace.streams.control.writer import author, now
from headrace.streams.dlq.box import Box, box
from headrace.streams.dlq.errors import NotRedrivenError
from headrace.streams.dlq.filter import Filter
from headrace.streams.dlq.letter import Letter
from headrace.streams.dlq.message import fits, original
from headrace.streams.dlq.target import Target
from headrace.streams.dlq.whole import Span
from headrace.streams.errors import BrokerUnreachableError
from headrace.streams.observer import Observer
from headrace.streams.outbox import Outbox

__all__ = ["Picked", "Report", "Wish", "pick", "redrive"]

MOST_AT_ONCE = 200
"""Letters of one transaction; with a rate, as many as half a second has."""

MOST_BYTES_AT_ONCE = 8 << 20
TRANSACTION_S = 10
"""Whoever reads the input waits behind a transaction that was cut off until the broker gives it up after so long."""

STOP_S = 5.0
REFUSED_SHOWN = 1000


@dataclass(frozen=True)
class Wish:
    """What is to be redriven where.

    Attributes:
        plan: the pipeline.
        connection: its broker.
        wanted: which letters.
        target: the topic they go to.
        rate: letters a second at most; None for as fast as the broker takes them.
        has_new_time: whether they get the present time instead of their own.
        again: whether letters that were redriven already go once more.
    """

    plan: Plan
    connection: Connection
    wanted: Filter
    target: Target
    rate: float | None = None
    has_new_time: bool = False
    again: bool = False


@dataclass
class Picked:
    """What a redrive would do.

    Attributes:
        chosen: offsets of the letters that would go, by partition.
        reasons: how many of them, by code, class, stage and plugin.
        redriven: how many are left out since they were redriven already.
        refused: places of the letters that cannot go, by reason; the first thousand of each.
        counts: how many cannot go, by reason.
        late: how many of the chosen are older than `delivery.deadline` and would expire again.
    """

    chosen: dict[int, array[int]] = field(default_factory=dict)
    reasons: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)
    redriven: int = 0
    refused: dict[str, list[str]] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    late: int = 0

    @property
    def total(self) -> int:
        """How many letters would go."""
        return sum(len(offsets) for offsets in self.chosen.values())

    def refuse(self, letter: Letter, why: str) -> None:
        """Note a letter that cannot go."""
        self.counts[why] += 1
        places = self.refused.setdefault(why, [])
        if len(places) < REFUSED_SHOWN:
            places.append(letter.place)


@dataclass
class Report:
    """What was done: `sent` letters are on the topic and marked; `failure` ended it before all were."""

    sent: int = 0
    seconds: float = 0.0
    interrupted: bool = False
    failure: HeadraceError | None = None


async def pick(wish: Wish) -> Picked:
    """Look which letters go, up to the end that their topic has now.

    Raises:
        BrokerUnreachableError: HR201.
    """
    picked, deadline_ms = Picked(), wish.plan.input.intake.deadline_ms
    oldest_ms = time.time() * 1000 - deadline_ms if deadline_ms is not None and not wish.has_new_time else 0.0
    async with box(wish.connection, wish.plan) as letters:
        async for letter in letters.letters(wish.wanted):
            if letter.is_redriven and not wish.again:
                picked.redriven += 1
                continue
            why = letter.refusal(wish.plan.pipeline)
            if why is None and not fits(_message(wish, letter), wish.target.limit_bytes):
                why = f"it is larger than {wish.target.topic!r} takes"
            if why is not None:
                picked.refuse(letter, why)
                continue
            position, said = letter.message.position, letter.reasons
            picked.chosen.setdefault(position.partition, array("q")).append(position.offset)
            picked.reasons[said["code"], said["class"] or "", said["stage"] or "", said["plugin"] or ""] += 1
            picked.late += 0 <= letter.message.timestamp_ms < oldest_ms
    return picked


async def redrive(wish: Wish, picked: Picked, stop: asyncio.Event, on_progress: Callable[[int], None]) -> Report:
    """Publish what was picked; return what was done, also when it was stopped or failed.

    Args:
        wish: what is wanted.
        picked: what `pick` found.
        stop: set to send nothing more.
        on_progress: told how many are done.
    """
    report, began = Report(), time.monotonic()
    try:
        await wish.target.ensure_marks(wish.plan, wish.connection)
        await _refuse_unwritable(wish)
        # First the producer, which ends whoever else redrives; then the marks, which are not changed any more.
        async with _producing(wish, report) as producer, box(wish.connection, wish.plan) as letters:
            outbox = Outbox(producer)
            async for chunk in _chunks(letters, picked, wish):
                early_s = began + report.sent / wish.rate - time.monotonic() if wish.rate else 0.0
                if early_s > 0:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(stop.wait(), early_s)
                if stop.is_set():
                    break
                await _send(wish, producer, outbox, chunk)
                report.sent += len(chunk)
                on_progress(report.sent)
    except HeadraceError as error:
        report.failure = error
    report.interrupted = stop.is_set()
    report.seconds = time.monotonic() - began
    return report


async def _refuse_unwritable(wish: Wish) -> None:
    """Look at rights beforehand: aiokafka 0.14 calls a transaction that lacks one InvalidTxnState, and names none."""
    rules = (
        Rule("topic", wish.target.topic, False, ("Write",)),
        Rule("topic", marks_topic(wish.plan.pipeline), False, ("Read", "Write")),
    )
    async with Observer(wish.connection, "redrive") as observer:
        await refuse_denied(wish.connection, await observer.client(), (), rules)


async def _chunks(letters: Box, picked: Picked, wish: Wish) -> AsyncIterator[list[Letter]]:
    most = MOST_AT_ONCE if wish.rate is None else max(1, min(MOST_AT_ONCE, int(wish.rate / 2)))
    spans = {number: Span(offsets[0], offsets[-1] + 1) for number, offsets in picked.chosen.items()}
    chosen = {number: frozenset(offsets) for number, offsets in picked.chosen.items()}
    held: list[Letter] = []
    async for letter in letters.letters(Filter(), spans):
        is_overtaken = letter.is_redriven and not wish.again
        if is_overtaken or letter.message.position.offset not in chosen[letter.message.position.partition]:
            continue
        held.append(letter)
        if len(held) == most or sum(len(one.message.value or b"") for one in held) >= MOST_BYTES_AT_ONCE:
            yield held
            held = []
    if held:
        yield held


async def _send(wish: Wish, producer: Any, outbox: Outbox, chunk: list[Letter]) -> None:
    """Send letters and marks, all of them or none."""
    topic = marks_topic(wish.plan.pipeline)
    async with producer.transaction():
        sent = []
        for letter in chunk:
            mark = Mark(died=letter.reasons["time"], time=now(), who=author(), to=wish.target.topic)
            sent.append(await outbox.put(_message(wish, letter)))
            sent.append(await producer.send(topic, encode_mark(mark), key=letter.place.encode()))
        await asyncio.gather(*sent)


def _message(wish: Wish, letter: Letter) -> Any:
    is_input = wish.target.topic == wish.plan.input.topic
    return original(
        letter,
        wish.target.topic,
        partitions=wish.target.partitions,
        outputs=[output.name for output in wish.plan.outputs] if is_input else (),
        now_ms=int(time.time() * 1000) if wish.has_new_time else None,
    )


@asynccontextmanager
async def _producing(wish: Wish, report: Report) -> AsyncIterator[Any]:
    from aiokafka import AIOKafkaProducer
    from aiokafka.errors import KafkaConnectionError, KafkaError, ProducerFenced

    producer = AIOKafkaProducer(
        **wish.connection.options,
        client_id="headrace-dlq",
        transactional_id=redrive_id(wish.plan.pipeline),
        transaction_timeout_ms=TRANSACTION_S * 1000,
        compression_type="gzip",
        linger_ms=5,
        max_request_size=128 << 20,
    )
    try:
        with denials(wish.connection, operation="Write"):
            await producer.start()
            yield producer
    except ProducerFenced:
        raise _not_redriven(report, "another redrive of this pipeline began", mend="let one of them end") from None
    except (KafkaConnectionError, OSError) as error:
        raise BrokerUnreachableError(
            f"the broker at {wish.connection} went away after {report.sent:,} letters ({type(error).__name__})",
            mend="start it, then redrive again: what is done is not done twice",
        ) from None
    except KafkaError as error:
        fault = f"the broker refuses: {type(error).__name__}: {error}"
        raise _not_redriven(report, fault, mend="ask whoever runs the cluster, then redrive again") from None
    finally:
        with suppress(TimeoutError):
            await asyncio.wait_for(producer.stop(), STOP_S)
        await producer.client.close()


def _not_redriven(report: Report, fault: str, *, mend: str) -> NotRedrivenError:
    return NotRedrivenError(f"{fault}; {report.sent:,} letters are redriven", mend=mend)
