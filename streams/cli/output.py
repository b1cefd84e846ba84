"""How commands speak: facts as text or JSON on stdout, progress on stderr, colour only on a terminal."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from headrace.core.errors import HeadraceError, ProblemsError
from headrace.streams.printable import printable, quiet_json

__all__ = [
    "emit_json",
    "error_lines",
    "is_terminal",
    "json_option",
    "pipeline_argument",
    "printable",
    "say",
    "threads_option",
]

Command = TypeVar("Command", bound=Callable[..., Any])

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
pipeline_argument = click.argument("file", type=click.Path(path_type=Path), metavar="FILE")

threads_option = click.option(
    "--threads",
    type=click.IntRange(1, 1024),
    envvar="HEADRACE_THREADS",
    metavar="N",
    help="Processor threads of a run of a model in each worker; without it, the cores there are, shared.",
)


def is_terminal(stream: Any = None) -> bool:
    """Whether a person looks at the stream (stderr unless told): progress bars and colour make sense."""
    return bool((stream or sys.stderr).isatty())


def emit_json(facts: Any) -> None:
    """Print facts as one JSON document; what UTF-8 cannot hold, or a terminal would obey, is escaped."""
    click.echo(quiet_json(json.dumps(facts, indent=2, ensure_ascii=not _utf8_safe(facts))))


def say(line: str) -> None:
    """Print a plain line for people on stderr, so that stdout stays clean for programs."""
    click.echo(line, err=True)


def error_lines(error: HeadraceError) -> list[str]:
    """Return an error as lines for a person: one a problem, and nothing in them acts on the terminal."""
    problems = error.problems if isinstance(error, ProblemsError) else (error,)
    return [printable(re.sub(r"\s*\n\s*", " ", str(problem))) for problem in problems]


def _utf8_safe(facts: Any) -> bool:
    try:
        json.dumps(facts, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True
