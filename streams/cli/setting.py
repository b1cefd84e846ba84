"""What commands that change a running pipeline share: which pipeline, which broker, and how a change is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from headrace.streams.cli.output import emit_json, printable

if TYPE_CHECKING:
    from headrace.core.plan.plan import Plan
    from headrace.core.wire.control import Setting
    from headrace.streams.access.connection import Connection

__all__ = ["Live", "change", "find", "why_option"]

why_option = click.option("--why", default="", metavar="TEXT", help="Why; it is kept and shown to others.")


class Live(NamedTuple):
    """A pipeline on its broker."""

    plan: Plan
    connection: Connection


def find(file: Path) -> Live:
    """Compile the file and find its broker; the embedded one is not started for this.

    Raises:
        HeadraceError: what is wrong with the file, or that there is no broker.
    """
    from headrace.core.plan.compile import compile_file
    from headrace.streams.access.connection import connection_to
    from headrace.streams.client.quiet import hush
    from headrace.streams.home import home
    from headrace.streams.registry import default_location

    plan = compile_file(file, registry=default_location())
    connection = connection_to(plan.broker, start_embedded=False, home=home())
    hush()
    return Live(plan, connection)


def change(live: Live, changes: Mapping[str, Setting | None], told: Sequence[str], *, why: str, as_json: bool) -> None:
    """Make the changes, then print them, or the lines that tell of them."""
    import asyncio

    from headrace.streams.control.writer import author, set_settings

    made = asyncio.run(set_settings(live.connection, live.plan.pipeline, changes, who=author(), why=why))
    if as_json:
        emit_json([{"key": one.key, "old": _plain(one.old), "new": _plain(one.new)} for one in made])
    else:
        click.echo("\n".join(printable(line) for line in told))


def _plain(setting: Setting | None) -> dict[str, Any] | None:
    return None if setting is None else setting.model_dump(by_alias=True, mode="json")
