"""`headrace resume`: let paused stages of a running pipeline read again."""

from __future__ import annotations

from pathlib import Path

import click

from headrace.streams.cli.output import json_option, pipeline_argument
from headrace.streams.cli.setting import change, find, why_option

__all__ = ["resume"]


@click.command()
@pipeline_argument
@click.option("--stage", metavar="NAME", help="Only this stage.  [default: all that are paused]")
@why_option
@json_option
def resume(file: Path, *, stage: str | None, why: str, as_json: bool) -> None:
    """Let the paused stages of FILE read again, where they were."""
    import asyncio

    from headrace.core.wire.control import StagePause, setting_key
    from headrace.streams.control.target import reading
    from headrace.streams.control.writer import read_settings

    live = find(file)
    paused = asyncio.run(read_settings(live.connection, live.plan.pipeline)).paused()
    if stage is not None and stage not in paused:
        reading(live.plan, stage)  # or it has another name
    chosen = [name for name in paused if stage in (None, name)]
    told = [f"resumed  {name}" for name in chosen] or [
        "nothing is paused" if stage is None else f"{stage} is not paused"
    ]
    changes = {setting_key(StagePause, stage=name): None for name in chosen}
    change(live, changes, told, why=why, as_json=as_json)
