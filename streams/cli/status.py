"""`headrace status`: how a running pipeline does, seen from its broker."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from headrace.core.errors import BrokerError
from headrace.streams.cli.output import emit_json, error_lines, is_terminal, json_option, pipeline_argument, say
from headrace.streams.cli.setting import Live, find
from headrace.streams.cli.table import heading, print_columns, print_pairs

if TYPE_CHECKING:
    from headrace.streams.status.facts import PartitionFacts, PipelineFacts, StageFacts

__all__ = ["status"]

WATCH_S = 2.0


@click.command()
@pipeline_argument
@click.option("--watch", is_flag=True, help="Look again every 2 seconds, until Ctrl-C.")
@json_option
def status(file: Path, *, watch: bool, as_json: bool) -> None:
    """Show how far the stages of FILE have read, who reads for them, and what was changed while they run.

    Asks the broker only: it works from any machine, whether workers run or not. With --json --watch it prints one
    document a line.
    """
    live = find(file)
    if not watch:
        _show(_look(live), as_json=as_json)
        return
    while True:
        try:
            facts = _look(live)
        except BrokerError as error:  # it may come back
            say("\n".join(error_lines(error)))
        else:
            _show_again(facts, as_json=as_json)
        time.sleep(WATCH_S)


def _look(live: Live) -> PipelineFacts:
    import asyncio

    from headrace.streams.status.gather import gather

    return asyncio.run(gather(live.connection, live.plan))


def _show_again(facts: PipelineFacts, *, as_json: bool) -> None:
    if as_json:
        from headrace.core.wire.json import encode
        from headrace.streams.printable import quiet_json

        click.echo(quiet_json(encode(facts.as_json()).decode()))
        return
    if is_terminal(sys.stdout):
        click.clear()
    _show(facts, as_json=False)
    if not is_terminal(sys.stdout):
        click.echo()


def _show(facts: PipelineFacts, *, as_json: bool) -> None:
    if as_json:
        emit_json(facts.as_json())
        return
    print_pairs([("pipeline", facts.pipeline), ("plan", facts.plan), ("broker", facts.broker), ("time", facts.time)])
    if not facts.has_run:
        click.echo("\nThis pipeline never ran on this broker.")
    heading("Stages")
    print_columns(("stage", "reads", "lag", "oldest", "members", "state"), [_stage(stage) for stage in facts.stages])
    _table(
        "Partitions with lag or a skip",
        ("stage", "partition", "committed", "end", "lag", "oldest", "skip"),
        _waiting(facts),
    )
    _table("Records taken one at a time", ("stage", "partition", "records", "in flight", "deaths"), _suspects(facts))
    _table("Members", ("stage", "client", "host", "partitions"), _members(facts))
    _table("Workers", ("worker", "group", "seen", "state", "plan"), _workers(facts))
    _table("Waiting at egress", ("worker", "records", "since about", "for record"), _joins(facts))
    _table("Waiting for a record", ("worker", "partition", "why"), _alive(facts, "held"))
    _table("Steps in quarantine", ("worker", "step", "why"), _alive(facts, "quarantined"))
    _table("Model versions", ("model", "stage", "worker", "state"), _models(facts))
    _table("Aliases moved", ("alias", "version"), facts.aliases.items())
    _table("Stopped", ("what", "name", "why"), _stopped(facts))


def _table(title: str, names: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    found = list(rows)
    if found:
        heading(title)
        print_columns(names, found)


def _stage(stage: StageFacts) -> tuple[str, ...]:
    state = stage.state.lower()
    if not stage.exists:
        state = "its topic is not there yet"
    elif stage.paused is not None:
        state = f"paused: {stage.paused}" if stage.paused else "paused"
    elif stage.state in ("Dead", "Empty"):
        state = "nobody reads"
    elif stage.state == "Stable":
        state = "reads"
    return stage.stage, stage.topic, f"{stage.lag:,}", _age(stage.oldest_s), str(len(stage.members)), state


def _waiting(facts: PipelineFacts) -> Iterator[tuple[str, ...]]:
    for stage in facts.stages:
        for one in stage.partitions:
            if one.lag or one.skip:
                skip = f"{one.skip['from']} to {one.skip['until'] - 1}" if one.skip else "-"
                committed = "-" if one.committed is None else str(one.committed)
                yield (
                    stage.stage,
                    str(one.partition),
                    committed,
                    str(one.end),
                    f"{one.lag or 0:,}",
                    _age(one.oldest_s),
                    skip,
                )


def _suspects(facts: PipelineFacts) -> Iterator[tuple[str, ...]]:
    for stage in facts.stages:
        for one in stage.partitions:
            if one.suspects is None:
                continue
            at, until = one.suspects["at"], one.suspects["until"]
            alone = "-" if at is None else _suspect(one, str(at))
            counts = ", ".join(f"{_suspect(one, at)} {count}" for at, count in one.suspects["deaths"].items()) or "-"
            span = f"{one.committed} to {until - 1}" if until > (one.committed or 0) else "those whose time is over"
            yield stage.stage, str(one.partition), span, alone, counts


def _suspect(partition: PartitionFacts, at: str) -> str:
    """Return a record by its place: in the next message, or in the input when none brings it."""
    return f"{partition.committed}:{at}" if at.isdigit() else at


def _members(facts: PipelineFacts) -> Iterator[tuple[str, ...]]:
    for stage in facts.stages:
        for member in stage.members:
            partitions = ", ".join(str(number) for number in member["partitions"]) or "-"
            yield stage.stage, member["client_id"], member["host"], partitions


def _workers(facts: PipelineFacts) -> Iterator[tuple[str, ...]]:
    for one in facts.workers:
        state = "gone" if not one.alive else "ready" if one.ready else f"not ready: {one.why}"
        yield one.worker, one.group, f"{_age(one.seen_s)} ago", state, one.plan


def _joins(facts: PipelineFacts) -> Iterator[tuple[str, ...]]:
    for one in facts.workers:
        if one.alive and one.waiting:
            yield one.worker, f"{one.waiting:,}", one.waiting_since, one.waiting_for or "-"


def _alive(facts: PipelineFacts, name: str) -> Iterator[tuple[str, ...]]:
    for one in facts.workers:
        if one.alive:
            yield from ((one.worker, what, why) for what, why in getattr(one, name).items())


def _models(facts: PipelineFacts) -> Iterator[tuple[str, ...]]:
    for model in facts.models:
        for stage, instances in model.stages.items():
            for instance, why in instances.items():
                yield f"{model.model}@{model.version}", stage, instance, "ready" if why is None else why


def _stopped(facts: PipelineFacts) -> Iterator[tuple[str, ...]]:
    yield from (("model", name, why) for name, why in facts.stopped_models.items())
    yield from (("experiment", name, why) for name, why in facts.stopped_experiments.items())


def _age(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    for limit, unit in ((60, "s"), (60, "min"), (48, "h")):
        if seconds < limit:
            return f"{seconds:.1f} s" if unit == "s" else f"{seconds:.0f} {unit}"
        seconds /= 60 if unit != "h" else 24
    return f"{seconds:.0f} d"
