"""`headrace dlq redrive`: publish dead letters again, once each."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headrace.streams.cli.dlq_filter import filter_options, read_filter
from headrace.streams.cli.dlq_list import print_reasons
from headrace.streams.cli.output import emit_json, is_terminal, json_option, pipeline_argument, printable
from headrace.streams.cli.rate import Rate
from headrace.streams.cli.setting import Live, find

if TYPE_CHECKING:
    from headrace.streams.dlq.redrive import Picked, Report, Wish

__all__ = ["redrive"]

_PLACES_SHOWN = 5


@click.command()
@pipeline_argument
@click.argument("places", nargs=-1, metavar="[LETTER]...")
@filter_options
@click.option("--to", metavar="TOPIC", help="Another topic than the pipeline's input; it must exist.")
@click.option("--again", is_flag=True, help="Also those that were redriven already.")
@click.option("--new-time", is_flag=True, help="Give them the present time instead of their own.")
@click.option("--rate", type=Rate(), help="Letters a second at most, such as 100/s.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@click.pass_context
def redrive(
    ctx: click.Context,
    /,
    file: Path,
    places: tuple[str, ...],
    *,
    to: str | None,
    again: bool,
    new_time: bool,
    rate: float | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Publish dead letters of FILE again, to its input: all that wait, those selected, or each LETTER.

    Key, bytes, headers and time are the original's, and so is the record's id: results and feedback join as if it had
    never failed. A letter of one output goes to that output only. Each is redriven once: what was is left out, unless
    you say --again. It goes up to the letters that there are now, so one that fails again at once is not picked up.
    """
    import asyncio

    from headrace.streams.dlq.redrive import Wish, pick
    from headrace.streams.dlq.target import find_target

    live = find(file)
    target = asyncio.run(find_target(live.plan, live.connection, to))
    wanted = read_filter(options, places=frozenset(places))
    wish = Wish(live.plan, live.connection, wanted, target, rate, new_time, again)
    picked = asyncio.run(pick(wish))
    _refuse_unknown(live, places, picked)
    if not as_json:
        _tell_plan(wish, picked)
    if dry_run or not picked.total:
        _tell_done(wish, picked, None, as_json=as_json)
        return
    if not yes:
        _ask(picked, target.topic)
    with _bar(picked.total) as on_progress:
        report = asyncio.run(_run(wish, picked, on_progress))
    _tell_done(wish, picked, report, as_json=as_json)
    if report.failure:
        raise report.failure
    ctx.exit(130 if report.interrupted else 0)


def _refuse_unknown(live: Live, places: tuple[str, ...], picked: Picked) -> None:
    """Refuse letters that were asked for by name and cannot go; those that a filter finds are only counted."""
    from headrace.streams.dlq.errors import UnknownLetterError

    if not places:
        return
    for why, refused in picked.refused.items():
        raise UnknownLetterError(f"letter {refused[0]} cannot be redriven: {why}", mend="leave it out")
    known = {f"{number}:{offset}" for number, offsets in picked.chosen.items() for offset in offsets}
    missing = [place for place in places if place not in known]
    if len(missing) > picked.redriven:
        raise UnknownLetterError(
            f"there is no such dead letter in {live.plan.dead_topic}: {', '.join(missing)}",
            mend="`headrace dlq list` shows them",
        )


def _tell_plan(wish: Wish, picked: Picked) -> None:
    lines = []
    if picked.redriven:
        lines.append(f"{_letters(picked.redriven)} left out: redriven already; --again takes them once more")
    for why, count in picked.counts.items():
        places = picked.refused[why]
        more = ", ..." if count > _PLACES_SHOWN else ""
        lines.append(f"{_letters(count)} cannot be redriven: {why}: {', '.join(places[:_PLACES_SHOWN])}{more}")
    if picked.late:
        lines.append(f"{_letters(picked.late)} older than delivery.deadline: they would expire; --new-time mends that")
    if picked.total:
        print_reasons(f"To {printable(wish.target.topic)}", picked.reasons)
    if lines:
        click.echo()
    for line in lines:
        click.echo(printable(line))


def _ask(picked: Picked, topic: str) -> None:
    if not is_terminal(sys.stdin):
        raise click.UsageError("nobody is there to be asked; say --yes, or look first with --dry-run")
    click.confirm(f"Redrive {_letters(picked.total)} to {printable(topic)}?", abort=True, err=True)


async def _run(wish: Wish, picked: Picked, on_progress: Callable[[int], None]) -> Report:
    import asyncio
    import signal

    from headrace.streams.dlq.redrive import redrive as send

    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def end(name: signal.Signals) -> None:
        loop.remove_signal_handler(name)  # who asks twice means at once
        stop.set()

    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, end, name)
    return await send(wish, picked, stop, on_progress)


@contextmanager
def _bar(total: int) -> Iterator[Callable[[int], None]]:
    """Give a function that shows how many letters are done; it shows nothing where nobody looks."""
    if not is_terminal():
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.completed:,.0f} of {task.total:,.0f}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda done: bar.update(task, completed=done)


def _tell_done(wish: Wish, picked: Picked, report: Report | None, *, as_json: bool) -> None:
    sent = report.sent if report is not None else 0
    if as_json:
        emit_json(
            {
                "topic": wish.target.topic,
                "picked": picked.total,
                "redriven": sent,
                "redriven_before": picked.redriven,
                "refused": [
                    {"why": why, "count": count, "letters": picked.refused[why]} for why, count in picked.counts.items()
                ],
                "past_deadline": picked.late,
                "done": report is not None and sent == picked.total,
                "seconds": round(report.seconds, 3) if report is not None else 0.0,
            }
        )
        return
    if report is not None:
        stopped = "stopped: " if report.interrupted else ""
        left = f"; {picked.total - sent:,} not" if sent < picked.total else ""
        click.echo(f"{stopped}redrove {_letters(sent)} to {printable(wish.target.topic)}{left}")
    elif picked.total:
        click.echo(f"would redrive {_letters(picked.total)} to {printable(wish.target.topic)}")
    else:
        click.echo("nothing to redrive")


def _letters(count: int) -> str:
    return f"{count:,} letter{'' if count == 1 else 's'}"
