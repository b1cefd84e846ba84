"""`headrace model stop` and `start`: the kill switch of a model in a running pipeline."""

from __future__ import annotations

from pathlib import Path

import click

from headrace.streams.cli.output import json_option, pipeline_argument
from headrace.streams.cli.setting import change, find, why_option

__all__ = ["start", "stop"]


@click.command()
@pipeline_argument
@click.argument("name")
@why_option
@json_option
def stop(file: Path, name: str, *, why: str, as_json: bool) -> None:
    """Let the model NAME of FILE answer no record, from within a second until `start`.

    Routers see it as away and take another one, or the record becomes a dead letter. Batches in flight end.
    """
    from headrace.core.wire.control import ModelStop, setting_key
    from headrace.streams.control.target import models, refuse_unknown
    from headrace.streams.control.writer import now

    live = find(file)
    refuse_unknown("model", name, models(live.plan))
    changes = {setting_key(ModelStop, model=name): ModelStop(why=why, time=now())}
    change(live, changes, [f"stopped  {name}: it answers no record"], why=why, as_json=as_json)


@click.command()
@pipeline_argument
@click.argument("name")
@why_option
@json_option
def start(file: Path, name: str, *, why: str, as_json: bool) -> None:
    """Let the stopped model NAME of FILE answer records again."""
    import asyncio

    from headrace.core.wire.control import ModelStop, setting_key
    from headrace.streams.control.target import models, refuse_unknown
    from headrace.streams.control.writer import read_settings

    live = find(file)
    stopped = asyncio.run(read_settings(live.connection, live.plan.pipeline)).stopped_models()
    if name not in stopped:
        refuse_unknown("model", name, models(live.plan))
        change(live, {}, [f"{name} is not stopped"], why=why, as_json=as_json)
        return
    changes = {setting_key(ModelStop, model=name): None}
    change(live, changes, [f"started  {name}"], why=why, as_json=as_json)
