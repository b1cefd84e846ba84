"""`headrace doctor`: say what this machine has and lacks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from headrace.streams.cli.output import emit_json, json_option, printable

if TYPE_CHECKING:
    from headrace.streams.doctor.finding import Finding

__all__ = ["doctor"]

_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path), metavar="[FILE]")
@json_option
@click.pass_context
def doctor(ctx: click.Context, file: Path | None, as_json: bool) -> None:
    """Say what this machine has and lacks; with FILE also whether that pipeline could run here, now.

    Each line is ok, warn (worth knowing) or fail (a pipeline cannot run like this) and says how to mend it; exit 1
    if one fails. Nothing is started, made or changed.
    """
    findings = []
    for finding in _findings(file):
        findings.append(finding)
        if not as_json:
            _tell(finding)
    is_well = not any(finding.state == "fail" for finding in findings)
    if as_json:
        emit_json({"ok": is_well, "findings": [finding._asdict() for finding in findings]})
    ctx.exit(0 if is_well else 1)


def _findings(file: Path | None) -> Iterator[Finding]:
    from headrace.core.catalog import installed_catalog
    from headrace.streams.client.quiet import hush
    from headrace.streams.doctor import kafka, pipeline, room, runtime, software
    from headrace.streams.home import cache, home

    hush()
    yield from software.look_at_software()
    yield from software.look_at_plugins(installed_catalog())
    yield from room.look_at_room()
    yield room.look_at_folder("state", home(), "HEADRACE_HOME")
    yield room.look_at_folder("cache", cache(), "HEADRACE_CACHE")
    yield from runtime.look_at_runtime()
    plan, of_file = pipeline.look_at_file(file) if file else (None, [])
    setting = plan.broker if plan else None
    connection, nowhere = kafka.find_broker(setting)
    yield kafka.look_at_java(is_needed=nowhere is not None and nowhere.state != "fail")
    if nowhere:
        yield nowhere
    if connection:
        yield from kafka.look_at_kafka(connection, setting)
    yield from of_file
    if plan:
        yield from pipeline.look_at_models(plan)
        if connection:
            yield from pipeline.look_at_topics(plan, connection)


def _tell(finding: Finding) -> None:
    state = click.style(f"{finding.state:<5}", fg=_COLOURS[finding.state], bold=True)
    mend = f"; {finding.mend}" if finding.mend else ""
    click.echo(f"{state} {finding.subject:<12} {printable(finding.fact + mend)}")
