"""`headrace broker`: start, stop and look at the embedded Kafka."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import click

from headrace.streams.cli.output import emit_json, json_option, printable

__all__ = ["broker"]


@click.group()
def broker() -> None:
    """Start, stop and look at the embedded Kafka.

    A real Apache Kafka for this machine only, on 127.0.0.1, with its data in .headrace/broker (or in
    HEADRACE_HOME). It runs on until it is stopped; commands that need a broker find it by themselves.
    """


@broker.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help="Where to listen; 0 takes any free port.  [default: 9092, or any free port if it is taken]",
)
def start(port: int | None) -> None:
    """Start Kafka unless it runs already, and wait until it answers.

    The first start fetches Kafka, 45 MB. The address is printed on stdout.
    """
    from headrace.streams import broker as embedded
    from headrace.streams.cli.progress import waiting
    from headrace.streams.home import home

    began = time.monotonic()
    had = embedded.status(home())
    with waiting() as progress:
        running = embedded.start(home(), port=port, progress=progress)
    verb = "runs already" if had == running else f"ready in {time.monotonic() - began:.1f} s"
    click.echo(f"{running.bootstrap}  Kafka {verb}, pid {running.pid}")


@broker.command()
def stop() -> None:
    """Stop Kafka; its data stays for the next start."""
    from headrace.streams import broker as embedded
    from headrace.streams.cli.progress import waiting
    from headrace.streams.home import home

    with waiting() as progress:
        progress("stopping Kafka")
        stopped = embedded.stop(home())
    click.echo("stopped" if stopped else "the embedded broker did not run")


@broker.command()
@json_option
@click.pass_context
def status(ctx: click.Context, as_json: bool) -> None:
    """Say whether Kafka runs and where; exit 1 if it does not serve clients."""
    facts = _facts()
    if as_json:
        emit_json(facts)
    else:
        click.echo("\n".join(_lines(facts)))
    ctx.exit(0 if facts["state"] == "running" else 1)


@broker.command()
@click.option(
    "-n", "--lines", default=50, show_default=True, type=click.IntRange(0), help="How many of the last lines."
)
@click.option("-f", "--follow", is_flag=True, help="Go on with new lines as they come, until Ctrl-C.")
def logs(lines: int, follow: bool) -> None:
    """Print what Kafka logged since its last start."""
    from headrace.streams.broker import log
    from headrace.streams.broker.errors import BrokerNotRunningError
    from headrace.streams.broker.folders import Folders
    from headrace.streams.home import home

    folder = Folders.of(home()).logs
    if not folder.is_dir():
        raise BrokerNotRunningError(home())
    for line in log.tail(folder, lines):
        click.echo(printable(line.expandtabs()))
    if follow:
        for line in log.follow(folder):
            click.echo(printable(line.expandtabs()))


def _facts() -> dict[str, Any]:
    """Return what is known of the broker; `state` is running, silent (it does not answer), died or stopped."""
    from headrace.streams import broker as embedded
    from headrace.streams.broker.folders import Folders
    from headrace.streams.broker.probe import cluster
    from headrace.streams.home import home

    folders, running = Folders.of(home()), embedded.status(home())
    facts: dict[str, Any] = {"state": "stopped", "data": str(folders.data), "logs": str(folders.logs)}
    if running:
        facts |= {"state": "running" if cluster(running.port) else "silent", **running._asdict()}
        facts["started"] = running.started.isoformat(timespec="seconds")
    elif (last_words := embedded.obituary(home())) is not None:
        facts |= {"state": "died", "last_words": last_words}
    return facts


def _lines(facts: dict[str, Any]) -> list[str]:
    """Say the facts to a person."""
    state = facts["state"]
    if state == "stopped":
        return ["stopped  `headrace broker start` starts it"]
    if state == "died":
        return [
            f"died     its log says: {printable(facts['last_words'])}",
            "         `headrace broker start` starts it again, data kept",
        ]
    note = "" if state == "running" else "  does not answer (yet); see `headrace broker logs`"
    age = datetime.now(UTC) - datetime.fromisoformat(facts["started"])
    return [
        f"{state:<8} {facts['bootstrap']}{note}",
        f"pid      {facts['pid']}, for {str(age).partition('.')[0]}",
        f"data     {facts['data']}",
        f"logs     {facts['logs']}",
    ]
