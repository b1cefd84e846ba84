"""`headrace model promote`: let an alias stand for another version, while the pipeline runs."""

from __future__ import annotations

from pathlib import Path

import click

from headrace.streams.cli.output import emit_json, json_option, pipeline_argument, printable
from headrace.streams.cli.setting import find, why_option

__all__ = ["promote"]


@click.command()
@pipeline_argument
@click.argument("reference", metavar="NAME@VERSION")
@click.option("--alias", default="prod", show_default=True, help="The alias that is to stand for it.")
@click.option(
    "--timeout", "timeout_s", type=click.FloatRange(min=1), default=120.0, show_default=True, help="Seconds to wait."
)
@why_option
@json_option
def promote(file: Path, reference: str, *, alias: str, timeout_s: float, why: str, as_json: bool) -> None:
    """Serve the version NAME@VERSION wherever FILE names the model by the alias, without a stop.

    Every worker loads the version beside the old one; once all have it, new records go to it, and those on their way
    end with the old one. A worker that cannot load it stops the move: the alias stays what it was.
    """
    import asyncio

    from headrace.core.registry.reference import check_alias
    from headrace.core.registry.store import Registry
    from headrace.streams.cli.progress import waiting
    from headrace.streams.control.writer import author
    from headrace.streams.promotion import Move, move_alias, refuse_unused

    check_alias(alias)
    live = find(file)
    registry = Registry(live.plan.registry)
    manifest = registry.resolve(reference)
    registry.check(manifest)
    move = Move(manifest.name, alias, manifest.version, registry.aliases(manifest.name).get(alias))
    refuse_unused(live.plan, move.reference)
    with waiting() as tell:
        moving = move_alias(live.connection, live.plan, move, timeout_s=timeout_s, tell=tell, who=author(), why=why)
        is_running = asyncio.run(moving)
    registry.set_alias(move.model, alias, move.version)  # a fresh start, on another broker too, agrees with it
    if as_json:
        emit_json({"reference": move.reference, "version": manifest.reference, "running": is_running})
        return
    how = "new records go to it" if is_running else "the pipeline does not run; its next start takes it"
    click.echo(printable(f"promoted {move.reference} is {manifest.reference}: {how}"))
