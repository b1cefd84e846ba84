"""`headrace tail`: show results and dead letters as they come."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from headrace.core.config.suggestion import suggest
from headrace.streams.cli.output import json_option, pipeline_argument, printable, say
from headrace.streams.cli.tail_line import person_line
from headrace.streams.client.errors import UnknownOutputError

if TYPE_CHECKING:
    from headrace.core.plan.plan import Plan
    from headrace.core.record import Message
    from headrace.streams.access.connection import Connection

__all__ = ["tail"]


@dataclass(frozen=True)
class Limits:
    """When to end: after `count` messages, or after `idle_s` seconds without one; None never."""

    count: int | None
    idle_s: float | None


@click.command()
@pipeline_argument
@click.option("--output", metavar="NAME", help="Only this output, named after its topic.")
@click.option("--dead", is_flag=True, help="Only dead letters; with --output, those too.")
@click.option("--from-start", is_flag=True, help="Begin with the oldest message instead of the next one.")
@click.option("--count", type=click.IntRange(1), metavar="N", help="End after N messages.")
@click.option(
    "--idle-exit",
    "idle_s",
    type=click.FloatRange(0, min_open=True),
    metavar="SECONDS",
    help="End when nothing has come for so long.",
)
@json_option
def tail(
    *,
    file: Path,
    output: str | None,
    dead: bool,
    from_start: bool,
    count: int | None,
    idle_s: float | None,
    as_json: bool,
) -> None:
    """Show the results and dead letters of FILE as they come, until Ctrl-C.

    For people a line a message: time, key, label, score, model, and milliseconds from publishing to result. With
    --json a JSON object a line: `topic`, then the result as it lies there, or the facts of the dead letter. Takes
    part in no consumer group; topics that are not there yet, and a broker that is away, are waited for.
    """
    import asyncio

    from headrace.core.plan.compile import compile_file
    from headrace.streams.access.connection import connection_to
    from headrace.streams.cli.progress import waiting
    from headrace.streams.home import home
    from headrace.streams.registry import default_location

    plan = compile_file(file, registry=default_location())
    topics = _topics(plan, output, dead=dead)
    with waiting() as progress:
        connection = connection_to(plan.broker, start_embedded=True, home=home(), progress=progress)
    limits = Limits(count, idle_s)
    show = _json_line if as_json else partial(person_line, names_topic=len(topics) > 1)
    asyncio.run(
        _follow(connection, topics, limits, lambda message: show(message, plan.dead_topic), from_start=from_start)
    )


def _topics(plan: Plan, output: str | None, *, dead: bool) -> list[str]:
    """Return the topics to follow: those of one output or of all, and dead letters unless an output was asked for."""
    outputs = {out.name: out.topics for out in plan.outputs}
    if output is not None and output not in outputs:
        raise UnknownOutputError(f"no output {output!r}", mend=suggest(output, outputs, "outputs"))
    chosen = [output] if output is not None else [] if dead else list(outputs)
    topics = [topic for name in chosen for topic in outputs[name]]
    return topics + ([plan.dead_topic] if dead or output is None else [])


async def _follow(
    connection: Connection, topics: list[str], limits: Limits, show: Callable[[Message], str], *, from_start: bool
) -> None:
    from headrace.streams.client.follow import following
    from headrace.streams.client.quiet import hush

    hush()
    shown = 0
    async with following(connection, topics, from_start=from_start, tell=_tell) as follower:
        heard = time.monotonic()
        async for messages in follower.messages():
            for message in messages:
                click.echo(show(message))
                shown += 1
                if shown == limits.count:
                    return
            if messages:
                heard = time.monotonic()
            elif limits.idle_s is not None and time.monotonic() - heard > limits.idle_s:
                return


def _tell(what: str) -> None:
    say(printable(what))


def _json_line(message: Message, dead_topic: str) -> str:
    from headrace.core.wire.json import encode
    from headrace.streams.client.letter import letter_facts, result_line
    from headrace.streams.printable import quiet_json

    is_dead = message.position.topic == dead_topic
    return quiet_json((encode(letter_facts(message)) if is_dead else result_line(message)).decode())
