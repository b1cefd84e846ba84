"""`headrace dlq show`: one dead letter, whole."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from headrace.streams.cli.output import emit_json, json_option, pipeline_argument, printable
from headrace.streams.cli.setting import Live, find
from headrace.streams.cli.table import heading, print_columns, print_pairs

if TYPE_CHECKING:
    from headrace.core.record import Headers
    from headrace.streams.dlq.letter import Letter

__all__ = ["show"]

_SHOWN_BYTES = 2000


@click.command()
@pipeline_argument
@click.argument("place", metavar="LETTER")
@click.option("--whole", "is_whole", is_flag=True, help="The whole body, however long.")
@json_option
def show(file: Path, place: str, *, is_whole: bool, as_json: bool) -> None:
    """Show the dead letter LETTER of FILE: why and where it failed, and the message as it came.

    LETTER is PARTITION:OFFSET, as `headrace dlq list` shows it. The body is cut after 2,000 bytes. Nothing of it acts
    on the terminal: control characters are shown as escapes. With --json it is whole, as base64 if it is no UTF-8.
    """
    import asyncio

    live = find(file)
    letter = asyncio.run(_find(live, place))
    if as_json:
        emit_json(_facts(letter))
        return
    print_pairs(list(_pairs(live, letter)))
    _print_headers(letter.message.headers)
    _print_trace(letter)
    _print_body(letter.message.value, None if is_whole else _SHOWN_BYTES)


async def _find(live: Live, place: str) -> Letter:
    from headrace.streams.dlq.box import box
    from headrace.streams.dlq.errors import UnknownLetterError
    from headrace.streams.dlq.filter import Filter
    from headrace.streams.dlq.whole import Span

    match = re.fullmatch(r"(\d{1,9}):(\d{1,18})", place, re.ASCII)
    if match is None:
        raise click.UsageError(f"{place!r} names no letter; write PARTITION:OFFSET, such as 0:17")
    partition, offset = int(match[1]), int(match[2])
    async with box(live.connection, live.plan) as found:
        span = found.spans.get(partition)
        if span is not None and span.first <= offset < span.end:
            wanted = Filter(places=frozenset((f"{partition}:{offset}",)))
            async for letter in found.letters(wanted, {partition: Span(offset, offset + 1)}):
                return letter
    held = f"partition {partition} holds {span.first} to {span.end - 1}" if span and span.end > span.first else ""
    raise UnknownLetterError(
        f"there is no dead letter {place} in {live.plan.dead_topic}", mend=held or "`headrace dlq list` shows them"
    )


def _facts(letter: Letter) -> dict[str, object]:
    from headrace.streams.client.letter import letter_facts

    headers = [[name, None if value is None else value.decode("utf-8", "replace")] for name, value in _own(letter)]
    redriven_at = letter.mark.time if letter.mark is not None and letter.is_redriven else None
    return {
        "letter": letter.place,
        **letter_facts(letter.message),
        "timestamp_ms": letter.message.timestamp_ms,
        "headers": headers,
        "stacktrace": _header(letter, "__streams.errors.stacktrace"),
        "plan": _header(letter, "headrace.plan"),
        "redriven_at": redriven_at,
    }


def _own(letter: Letter) -> Headers:
    from headrace.core.wire.cloudevents import REASON_PREFIXES

    return tuple(one for one in letter.message.headers if not one[0].startswith(REASON_PREFIXES))


def _header(letter: Letter, name: str) -> str:
    found = {other: value for other, value in letter.message.headers if other == name}
    return (found.get(name) or b"").decode("utf-8", "replace")


def _pairs(live: Live, letter: Letter) -> Iterator[tuple[str, str]]:
    from headrace.core.wire.result import iso_time

    said, message = letter.reasons, letter.message
    yield "letter", f"{letter.place} of {message.position.topic}"
    yield "died", str(said["time"])
    yield "code", f"{said['code'] or '-'} ({said['class'] or '-'} can mend it)"
    yield "error", str(said["error"])
    yield "why", str(said["message"])
    yield "stage", str(said["stage"])
    yield "plugin", said["plugin"] or "-"
    if said["output"]:
        yield "output", f"{said['output']}; the others have the result"
    yield "attempts", str(said["attempt"])
    if said["redriven"]:
        yield "redriven", f"{said['redriven']} times before it failed again"
    if letter.mark is not None and letter.is_redriven:
        yield "since", f"redriven to {letter.mark.to} at {letter.mark.time} by {letter.mark.who}"
    elif why := letter.refusal(live.plan.pipeline):
        yield "redrive", f"cannot be redriven: {why}"
    source = said["source"]
    yield "record", str(said["id"])
    yield "lay at", f"{source['topic']}:{source['partition']}:{source['offset']}"
    yield "plan", _header(letter, "headrace.plan")
    yield "time", iso_time(message.timestamp_ms) if message.timestamp_ms >= 0 else "-"
    yield "key", "-" if message.key is None else message.key.decode("utf-8", "backslashreplace")


def _print_headers(headers: Headers) -> None:
    from headrace.core.wire.cloudevents import REASON_PREFIXES

    own = [(name, value) for name, value in headers if not name.startswith(REASON_PREFIXES)]
    if own:
        heading("Headers")
        rows = [(name, "-" if value is None else value.decode("utf-8", "backslashreplace")) for name, value in own]
        print_columns(("name", "value"), rows)


def _print_trace(letter: Letter) -> None:
    trace = _header(letter, "__streams.errors.stacktrace")
    if trace:
        heading("Trace")
        _print_lines(trace.rstrip())


def _print_body(value: bytes | None, most: int | None) -> None:
    if value is None:
        heading("No body")
        return
    heading(f"Body, {len(value):,} bytes")
    _print_lines(value[:most].decode("utf-8", "backslashreplace"))
    if most is not None and len(value) > most:
        click.echo(f"... {len(value) - most:,} bytes more; --whole shows them")


def _print_lines(text: str) -> None:
    click.echo("\n".join(printable(line) for line in text.split("\n")))
