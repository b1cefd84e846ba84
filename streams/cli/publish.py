"""`headrace publish`: send JSONL, CSV or text lines to the input topic."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from headrace.streams.cli.output import emit_json, is_terminal, json_option, pipeline_argument, printable, say
from headrace.streams.cli.rate import Rate
from headrace.streams.client.errors import NotSentError

if TYPE_CHECKING:
    from headrace.core.plan.plan import Plan
    from headrace.streams.client.lines import Lines
    from headrace.streams.client.parcel import Form, Parcel, Wish
    from headrace.streams.client.publish import Job, Report
    from headrace.streams.client.reading import Reading

__all__ = ["publish"]

_FORMS = {".csv": "csv", ".txt": "text", ".text": "text", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl"}

_SHOWN_EVERY_S = 0.1


@click.command()
@pipeline_argument
@click.argument("source", default="-", metavar="[SOURCE]")
@click.option(
    "--format",
    "form",
    type=click.Choice(["jsonl", "csv", "text"]),
    help="What the lines are.  [default: by the name of SOURCE, else what the pipeline reads]",
)
@click.option("--key", default="", metavar="PATH", help="Path or CSV column of the key.  [default: the unit, if any]")
@click.option("--text-column", default="", metavar="COLUMN", help="CSV column that holds the text.")
@click.option("--topic", metavar="TOPIC", help="Another topic than the pipeline's input; it must exist.")
@click.option("--id", "event_id", default="", metavar="PATH", help="Path of an id: the message becomes a CloudEvent.")
@click.option(
    "--source", "origin", default="", metavar="URI", help="With --id: the event's source.  [default: /publish/TOPIC]"
)
@click.option(
    "--tombstone", default="", metavar="LINE", help="A line that is exactly LINE is sent as its key, without a value."
)
@click.option("--rate", type=Rate(), help="Messages a second at most, such as 100/s.")
@click.option("--strict", is_flag=True, help="Read all of SOURCE first; send nothing if a line is not JSON.")
@json_option
@click.pass_context
def publish(
    ctx: click.Context,
    *,
    file: Path,
    source: str,
    form: Form | None,
    key: str,
    text_column: str,
    topic: str | None,
    event_id: str,
    origin: str,
    tombstone: str,
    rate: float | None,
    strict: bool,
    as_json: bool,
) -> None:
    """Send the lines of SOURCE, a file or - for stdin, to the input topic of FILE.

    JSON lines are sent byte for byte as they stand. A row of CSV becomes a JSON object named by the header. A line
    of text becomes a message, wrapped in JSON if the pipeline reads that. Blank lines are skipped. Ends when every
    message is acknowledged; exit 1 if one is not.
    """
    import asyncio

    from headrace.core.plan.compile import compile_file
    from headrace.streams.access.connection import connection_to
    from headrace.streams.cli.progress import waiting
    from headrace.streams.client.lines import Lines
    from headrace.streams.client.parcel import Wish
    from headrace.streams.client.publish import Job
    from headrace.streams.client.reading import reading
    from headrace.streams.client.source import chunks
    from headrace.streams.home import home
    from headrace.streams.registry import default_location

    plan = compile_file(file, registry=default_location())
    named = "stdin" if source == "-" else source
    wish = replace(
        Wish.of(plan, form or _form(source, plan), named, key=key, text_column=text_column, strict=strict),
        id=event_id,
        origin=origin or f"/publish/{topic or plan.input.topic}",
        tombstone=tombstone.encode(),
    )
    _refuse_misfits(wish)
    with reading(source) as opened:
        lines = Lines(opened.read)
        parcels = _all_first(lines, wish) if strict else chunks(lines, wish)
        with waiting() as progress:
            connection = connection_to(plan.broker, start_embedded=True, home=home(), progress=progress)
        with _bar(opened, lines) as on_progress:
            report = asyncio.run(_send(Job(plan, connection, topic, rate), parcels, opened, on_progress))
    _tell(report, has_keys=bool(wish.key_path), as_json=as_json)
    _raise_failures(report)
    ctx.exit(130 if report.interrupted else 0)


def _form(source: str, plan: Plan) -> Form:
    usual = "text" if plan.input.codec.spec.name == "text" else "jsonl"
    return cast("Form", _FORMS.get(Path(source).suffix.lower(), usual))


def _refuse_misfits(wish: Wish) -> None:
    if wish.text_column and wish.form != "csv":
        raise click.UsageError("--text-column is for CSV")
    if wish.key and wish.form == "text":
        raise click.UsageError("lines of text have no fields, so --key cannot name one")
    if (wish.id or wish.tombstone) and wish.form != "jsonl":
        raise click.UsageError("--id and --tombstone are for JSON lines")
    if wish.source == "stdin" and is_terminal(sys.stdin):
        say("type messages, one a line; Ctrl-D ends")


def _all_first(lines: Lines, wish: Wish) -> Iterator[list[Parcel]]:
    """Read everything before anything is sent, so that a bad line stops all of it."""
    from headrace.streams.client.source import chunks

    return iter(list(chunks(lines, wish)))


async def _send(
    job: Job, parcels: Iterator[list[Parcel]], opened: Reading, on_progress: Callable[[int], None]
) -> Report:
    import asyncio
    import signal

    from headrace.streams.client.publish import publish as send
    from headrace.streams.client.quiet import hush

    hush()
    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def end(name: signal.Signals) -> None:
        loop.remove_signal_handler(name)  # who asks twice means at once
        stop.set()
        opened.stop()

    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, end, name)
    return await send(job, parcels, stop, on_progress)


@contextmanager
def _bar(opened: Reading, lines: Lines) -> Iterator[Callable[[int], None]]:
    """Give a function that shows how many messages are acknowledged; it shows nothing where nobody looks."""
    if not is_terminal() or (opened.size_bytes is None and is_terminal(sys.stdin)):
        yield lambda acknowledged: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.fields[sent]:,} sent"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task, due = bar.add_task("", total=opened.size_bytes, sent=0), 0.0

        def show(acknowledged: int) -> None:
            nonlocal due
            if (now := time.monotonic()) >= due:
                bar.update(task, completed=lines.read_bytes, sent=acknowledged)
                due = now + _SHOWN_EVERY_S

        yield show


def _tell(report: Report, *, has_keys: bool, as_json: bool) -> None:
    if as_json:
        facts = {name: value for name, value in vars(report).items() if name != "failure"}
        emit_json({**facts, "seconds": round(report.seconds, 3)})
        return
    rate = f", {report.sent / report.seconds:,.0f} a second" if report.sent else ""
    keyless = f"; {report.without_key:,} without a key" if has_keys and report.without_key else ""
    stopped = "stopped: " if report.interrupted else ""
    messages = f"{report.sent:,} message{'' if report.sent == 1 else 's'}"
    click.echo(f"{stopped}sent {messages} to {printable(report.topic)} in {report.seconds:.1f} s{rate}{keyless}")


def _raise_failures(report: Report) -> None:
    if report.failure:
        raise report.failure
    if report.refused:
        count = sum(report.refused.values())
        reasons = ", ".join(f"{number:,} {reason}" for reason, number in report.refused.items())
        raise NotSentError(
            f"{count:,} message{'' if count == 1 else 's'} did not arrive: {reasons}",
            mend="remove the reason, then publish the rest",
        )
