"""`headrace check`: find everything wrong with pipeline files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headrace.core.errors import HeadraceError, ProblemsError
from headrace.streams.cli.output import emit_json, error_lines, json_option, printable, say

if TYPE_CHECKING:
    from headrace.core.plan.plan import Plan

__all__ = ["check"]


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@json_option
@click.pass_context
def check(ctx: click.Context, files: tuple[Path, ...], as_json: bool) -> None:
    """Find everything wrong with pipeline files.

    Reads each FILE and what the registry says of its models; asks no broker and loads no model. Every problem is one
    line on stderr: its place, its code, and how to mend it. Exit 1 if there is any.
    """
    outcomes = {file: _compile(file) for file in files}
    are_fine = not any(isinstance(outcome, HeadraceError) for outcome in outcomes.values())
    if as_json:
        emit_json({"ok": are_fine, "files": [_facts(file, outcome) for file, outcome in outcomes.items()]})
    else:
        for file, outcome in outcomes.items():
            _tell(file, outcome)
    ctx.exit(0 if are_fine else 1)


def _compile(file: Path) -> Plan | HeadraceError:
    from headrace.core.plan.compile import compile_file
    from headrace.streams.registry import default_location

    try:
        return compile_file(file, registry=default_location())
    except HeadraceError as error:
        return error


def _tell(file: Path, outcome: Plan | HeadraceError) -> None:
    if isinstance(outcome, HeadraceError):
        for line in error_lines(outcome):
            say(line)
        return
    counts = f"{_counted(len(outcome.models), 'model')}, {_counted(len(outcome.outputs), 'output')}"
    click.echo(f"{printable(str(file))}: ok (pipeline {outcome.pipeline}: {counts}; plan {outcome.hash})")


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _facts(file: Path, outcome: Plan | HeadraceError) -> dict[str, Any]:
    if isinstance(outcome, HeadraceError):
        problems = outcome.problems if isinstance(outcome, ProblemsError) else (outcome,)
        return {"file": str(file), "ok": False, "problems": [_problem(problem) for problem in problems]}
    return {
        "file": str(file),
        "ok": True,
        "problems": [],
        "pipeline": outcome.pipeline,
        "plan": outcome.hash,
        "models": list(outcome.models),
        "outputs": [output.name for output in outcome.outputs],
    }


def _problem(problem: HeadraceError) -> dict[str, Any]:
    place = problem.place
    return {
        "code": problem.code,
        "fault": problem.fault,
        "mend": problem.mend,
        "line": place.line if place else None,
        "column": place.column if place else None,
    }
