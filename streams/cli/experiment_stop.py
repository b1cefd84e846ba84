"""`headrace experiment stop` and `start`: the kill switch of an experiment that runs."""

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
    """Let the experiment NAME of FILE assign no unit, from within a second until `start`.

    Records then go as if it were not there. Those that were split already keep the variant they met.
    """
    from headrace.core.wire.control import ExperimentStop, setting_key
    from headrace.streams.control.target import experiments, refuse_unknown
    from headrace.streams.control.writer import now

    live = find(file)
    refuse_unknown("experiment", name, experiments(live.plan))
    changes = {setting_key(ExperimentStop, experiment=name): ExperimentStop(why=why, time=now())}
    change(live, changes, [f"stopped  {name}: it assigns no unit"], why=why, as_json=as_json)


@click.command()
@pipeline_argument
@click.argument("name")
@why_option
@json_option
def start(file: Path, name: str, *, why: str, as_json: bool) -> None:
    """Let the stopped experiment NAME of FILE assign units again; each unit meets the variant that it met before."""
    import asyncio

    from headrace.core.wire.control import ExperimentStop, setting_key
    from headrace.streams.control.target import experiments, refuse_unknown
    from headrace.streams.control.writer import read_settings

    live = find(file)
    stopped = asyncio.run(read_settings(live.connection, live.plan.pipeline)).stopped_experiments()
    if name not in stopped:
        refuse_unknown("experiment", name, experiments(live.plan))
        change(live, {}, [f"{name} is not stopped"], why=why, as_json=as_json)
        return
    changes = {setting_key(ExperimentStop, experiment=name): None}
    change(live, changes, [f"started  {name}"], why=why, as_json=as_json)
