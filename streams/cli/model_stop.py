"""`headrace model stop` and `start`: the kill switch of a model in a running pipeline."""

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
    """Let the model NAME of FILE answer no record, from within a second until `start`.

    Routers see it as away and take another one, or the record becomes a dead letter. Batches in flight end.
    """
    stop_named(file, "model", name, told="it answers no record", why=why, as_json=as_json)


@click.command()
@pipeline_argument
@click.argument("name")
@why_option
@json_option
def start(file: Path, name: str, *, why: str, as_json: bool) -> None:
    """Let the stopped model NAME of FILE answer records again."""
    start_named(file, "model", name, why=why, as_json=as_json)
