"""`headrace explain`: say what an error code means and how to mend it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from headrace.core.config.suggestion import suggest
from headrace.streams.cli.errors import UnknownCodeError
from headrace.streams.cli.output import emit_json, json_option

if TYPE_CHECKING:
    from headrace.streams.explain import Explanation

__all__ = ["explain"]


@click.command()
@click.argument("code", required=False, metavar="[CODE]")
@json_option
def explain(code: str | None, as_json: bool) -> None:
    """Say what the error CODE means, when it happens and how to mend it; without CODE, list every error."""
    from headrace.streams.explain import explanations

    known = explanations()
    chosen = list(known.values()) if code is None else [_find(code, known)]
    if as_json:
        facts = [error._asdict() for error in chosen]
        emit_json(facts if code is None else facts[0])
    elif code is None:
        for error in chosen:
            click.echo(f"{click.style(error.code, bold=True)}  {error.fact}")
    else:
        _tell(chosen[0])


def _find(code: str, known: Mapping[str, Explanation]) -> Explanation:
    wanted = code.strip().upper()
    wanted = f"HR{wanted}" if wanted.isdigit() else wanted
    if wanted not in known:
        close = suggest(wanted, known)
        mend = close if close.startswith("did you mean") else "`headrace explain` lists all of them"
        raise UnknownCodeError(f"there is no error {code!r}", mend=mend)
    return known[wanted]


def _tell(error: Explanation) -> None:
    click.echo(f"{click.style(error.code, bold=True)} {error.name}: {error.fact}")
    if error.body:
        click.echo(f"\n{error.body}")
    click.echo(f"\nWho can mend it: {error.who}.")
