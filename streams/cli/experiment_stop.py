"""`headrace experiment stop` and `start`: the kill switch of an experiment that runs."""

from __future__ import annotations

from pathlib import Path

import click

from headrace.streams.cli.kill_switch import start_named, stop_named
from headrace.streams.cli.output import json_option, pipeline_argument
from headrace.streams.cli.setting import why_option

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
    stop_named(file, "experiment", name, told="it assigns no unit", why=why, as_json=as_json)


@click.command()
@pipeline_argument
@click.argument("name")
@why_option
@json_option
def start(file: Path, name: str, *, why: str, as_json: bool) -> None:
    """Let the stopped experiment NAME of FILE assign units again; each unit meets the variant that it met before."""
    start_named(file, "experiment", name, why=why, as_json=as_json)
