"""`headrace skip`: let a stage pass over records that it cannot get past."""

from __future__ import annotations

from pathlib import Path

import click

from headrace.streams.cli.output import json_option, pipeline_argument
from headrace.streams.cli.setting import change, find, why_option

__all__ = ["skip"]


@click.command()
@pipeline_argument
@click.option("--stage", required=True, metavar="NAME", help="The stage: ingress, or one that reads a link.")
@click.option("--partition", type=click.IntRange(0), metavar="P", help="Partition of its topic.")
@click.option("--count", default=1, show_default=True, type=click.IntRange(1), metavar="N", help="How many offsets.")
@click.option("--record", metavar="ID", help="Instead of a partition: one record, TOPIC:PARTITION:OFFSET.")
@why_option
@json_option
def skip(
    file: Path, *, stage: str, partition: int | None, count: int, record: str | None, why: str, as_json: bool
) -> None:
    """Let a stage of FILE pass over records that it cannot get past.

    With --partition the next ones of it, from the committed offset on, and no more than there are: they become dead
    letters without being tried. On a link one offset is a frame of several records.

    With --record that one: it holds up its partition no longer, nor does a worker stop for it. When it fails it is a
    dead letter. For a record that a join could not answer in time, and which no message brings any more.
    """
    if (partition is None) == (record is None):
        raise click.UsageError("name one: a --partition, or a --record")
    if record is not None:
        _skip_record(file, stage, record, why=why, as_json=as_json)
    elif partition is not None:
        _skip_offsets(file, stage, partition, count, why=why, as_json=as_json)


def _skip_record(file: Path, stage: str, record: str, *, why: str, as_json: bool) -> None:
    from headrace.core.wire.control import RecordSkip, setting_key
    from headrace.streams.control.skip import refuse_no_record
    from headrace.streams.control.target import reading
    from headrace.streams.control.writer import now

    live = find(file)
    found = reading(live.plan, stage)
    refuse_no_record(record, (live.plan.input.topic, found.topic))
    told = (
        f"skip     record {record}, when it fails at {stage}",
        f"becomes  a dead letter in {live.plan.dead_topic}",
    )
    setting = RecordSkip(why=why, time=now())
    change(live, {setting_key(RecordSkip, stage=stage, record=record): setting}, told, why=why, as_json=as_json)


def _skip_offsets(file: Path, stage: str, partition: int, count: int, *, why: str, as_json: bool) -> None:
    import asyncio

    from headrace.core.wire.control import Skip, setting_key
    from headrace.streams.control.skip import plan_skip
    from headrace.streams.control.target import reading
    from headrace.streams.control.writer import now, read_settings
    from headrace.streams.status.gather import stage_spans

    live = find(file)
    found = reading(live.plan, stage)
    before = asyncio.run(read_settings(live.connection, live.plan.pipeline)).skip(stage, partition)
    spans = asyncio.run(stage_spans(live.connection, live.plan, found))
    planned = plan_skip(found, partition, count, spans, before)
    last = planned.until - 1
    offsets = f"offset {last}" if planned.first == last else f"offsets {planned.first} to {last}"
    told = (
        f"skip     {offsets} of {found.topic}, partition {partition}",
        f"become   dead letters in {live.plan.dead_topic}, without being tried",
        f"behind   {planned.behind} more wait in that partition",
    )
    setting = Skip(first=planned.first, until=planned.until, why=why, time=now())
    changes = {setting_key(Skip, stage=stage, partition=partition): setting}
    change(live, changes, told, why=why, as_json=as_json)
