"""`headrace dlq list`: which dead letters there are, and why."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headrace.streams.cli.dlq_filter import filter_options, read_filter
from headrace.streams.cli.output import json_option, pipeline_argument, printable
from headrace.streams.cli.setting import Live, find
from headrace.streams.cli.table import heading, print_columns
from headrace.streams.printable import quiet_json

if TYPE_CHECKING:
    from headrace.streams.dlq.filter import Filter
    from headrace.streams.dlq.letter import Letter

__all__ = ["list_letters", "print_reasons"]

_SHOWN = 50
_LONGEST = 60
Reasons = Counter[tuple[str, str, str, str]]


@click.command("list")
@pipeline_argument
@filter_options
@click.option("--waiting", "is_waiting", is_flag=True, help="Not those that were redriven already.")
@click.option(
    "--limit",
    type=click.IntRange(1),
    metavar="N",
    help=f"The N that died last.  [default: {_SHOWN}; with --json all, by place]",
)
@json_option
def list_letters(file: Path, *, is_waiting: bool, limit: int | None, as_json: bool, **options: Any) -> None:
    """List the dead letters of FILE, those that died last at the end, and how many there are of each kind.

    Reads the whole topic, up to the end that it has now. With --json a JSON object a letter and line, its message
    included. `redriven` says how often the message had been redriven before it failed again.
    """
    import asyncio

    live = find(file)
    wanted = read_filter(options, is_waiting=is_waiting)
    if as_json and limit is None:
        asyncio.run(_print_all(live, wanted))
        return
    letters, reasons = asyncio.run(_last(live, wanted, limit or _SHOWN))
    if as_json:
        for letter in letters:
            click.echo(_line(letter))
        return
    _print(live, letters, reasons)


async def _print_all(live: Live, wanted: Filter) -> None:
    async with _letters(live, wanted) as letters:
        async for letter in letters:
            click.echo(_line(letter))


async def _last(live: Live, wanted: Filter, limit: int) -> tuple[list[Letter], Reasons]:
    """Return the letters that died last, oldest first, and how many there are of each kind."""
    newest: list[tuple[float, int, int, Letter]] = []
    reasons: Reasons = Counter()
    async with _letters(live, wanted) as letters:
        async for letter in letters:
            said, position = letter.reasons, letter.message.position
            reasons[said["code"] or "-", said["class"] or "-", said["stage"] or "-", said["plugin"] or "-"] += 1
            entry = (letter.died_ms, position.partition, position.offset, letter)
            if len(newest) < limit:
                heapq.heappush(newest, entry)
            else:
                heapq.heappushpop(newest, entry)
    return [entry[3] for entry in sorted(newest, key=lambda entry: entry[:3])], reasons


@asynccontextmanager
async def _letters(live: Live, wanted: Filter) -> AsyncIterator[AsyncIterator[Letter]]:
    from headrace.streams.dlq.box import box

    async with box(live.connection, live.plan) as found:
        yield found.letters(wanted)


def _line(letter: Letter) -> str:
    from headrace.core.wire.json import encode
    from headrace.streams.client.letter import letter_facts

    redriven_at = letter.mark.time if letter.mark is not None and letter.is_redriven else None
    facts = {"letter": letter.place, **letter_facts(letter.message), "redriven_at": redriven_at}
    return quiet_json(encode(facts).decode())


def _print(live: Live, letters: list[Letter], reasons: Reasons) -> None:
    total = reasons.total()
    if not total:
        click.echo(printable(f"no such dead letter in {live.plan.dead_topic}"))
        return
    names = ("letter", "died", "code", "stage", "plugin", "attempt", "redriven", "record", "key", "why")
    print_columns(names, [tuple(_row(letter)) for letter in letters])
    print_reasons("Kinds", reasons)
    shown = f"; the last {len(letters):,} are shown, --limit N shows more" if len(letters) < total else ""
    click.echo()
    click.echo(printable(f"{total:,} dead letter{'' if total == 1 else 's'} in {live.plan.dead_topic}{shown}"))


def print_reasons(title: str, reasons: Reasons) -> None:
    """Print how many letters there are of each kind, the most frequent first."""
    heading(title)
    rows = [(*kind, f"{count:,}") for kind, count in sorted(reasons.items(), key=lambda one: (-one[1], one[0]))]
    print_columns(("code", "class", "stage", "plugin", "letters"), rows)


def _row(letter: Letter) -> Iterator[str]:
    said, key = letter.reasons, letter.message.key
    yield letter.place
    yield f"{datetime.fromtimestamp(letter.died_ms / 1000).astimezone():%Y-%m-%d %H:%M:%S}"
    yield from (said[name] or "-" for name in ("code", "stage", "plugin"))
    yield str(said["attempt"])
    yield f"{said['redriven']}{', and since' if letter.is_redriven else ''}"
    yield said["id"]
    yield "-" if key is None else _cut(key.decode("utf-8", "backslashreplace"))
    yield _cut(f"for {said['output']}: {said['message']}" if said["output"] else str(said["message"]))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
