"""`headrace pause`: let a stage of a running pipeline read nothing for a while."""

from __future__ import annotations

from pathlib import Path

import click

from headrace.streams.cli.invocation import command_line
from headrace.streams.cli.output import json_option, pipeline_argument
from headrace.streams.cli.setting import change, find, why_option

__all__ = ["pause"]


@click.command()
@pipeline_argument
@click.option("--stage", required=True, metavar="NAME", help="The stage: ingress, or one that reads a link.")
@why_option
@json_option
def pause(file: Path, *, stage: str, why: str, as_json: bool) -> None:
    """Let a stage of FILE read nothing until `headrace resume`.

    Every worker follows within a second; batches in flight end. Records wait in the stage's topic, and nothing is
    lost however long it lasts, unless the input topic's retention deletes them.
    """
    from headrace.core.wire.control import StagePause, setting_key
    from headrace.streams.control.target import reading
    from headrace.streams.control.writer import now

    live = find(file)
    found = reading(live.plan, stage)
    again = command_line("resume", file, "--stage", stage)
    told = (f"paused   {stage}: nothing of {found.topic} is read", f"resume   {again}")
    changes = {setting_key(StagePause, stage=stage): StagePause(why=why, time=now())}
    change(live, changes, told, why=why, as_json=as_json)
