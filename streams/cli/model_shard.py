"""`headrace model shard`: cut a model into parts, each of which a worker of its own can run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import click

from headrace.streams.cli.model_registry import open_registry, registry_option, size_words
from headrace.streams.cli.output import emit_json, json_option, printable
from headrace.streams.cli.table import heading, print_columns

if TYPE_CHECKING:
    from headrace.core.registry.manifest import Manifest

__all__ = ["shard"]


@click.command()
@click.argument("reference", metavar="NAME@VERSION|NAME@ALIAS")
@click.option("--parts", type=click.IntRange(min=2), default=2, show_default=True, help="How many parts.")
@click.option(
    "--by",
    type=click.Choice(["time", "size"]),
    default="time",
    show_default=True,
    help="What the parts shall have alike: measured time, or bytes of weights.",
)
@click.option("--alias", help="Let this alias mean the new version, such as prod.")
@registry_option
@json_option
def shard(
    reference: str, *, parts: int, by: Literal["time", "size"], alias: str | None, location: str | None, as_json: bool
) -> None:
    """Cut a model into parts, and register them as its next version.

    The graph is cut where little crosses, and only where each tensor has one row a text. The parts are compared with
    the whole before they are registered. A pipeline that names the new version gets one stage a part.
    """
    from headrace.core.catalog import installed_catalog
    from headrace.core.registry.reference import check_alias
    from headrace.streams.cli.progress import waiting
    from headrace.streams.sharding.sharded import shard_model
    from headrace.streams.sharding.workbench import Wish

    if alias is not None:
        check_alias(alias)
    registry = open_registry(location)
    with waiting() as tell:
        manifest = shard_model(registry, reference, Wish(parts, by), installed_catalog(), alias=alias, tell=tell)
    if as_json:
        emit_json(_facts(manifest, alias, registry.location))
        return
    _print(manifest, alias, registry.location)


def _facts(manifest: Manifest, alias: str | None, location: str) -> dict[str, Any]:
    return {
        "reference": manifest.reference,
        "aliases": [alias] if alias else [],
        "registry": location,
        "hash": manifest.hash,
        "lineage": manifest.lineage,
        "parts": [
            {
                **part.model_dump(mode="json"),
                "size_bytes": _bytes(manifest, at),
                "bytes_per_record": _sends(manifest, at),
            }
            for at, part in enumerate(manifest.shards or ())
        ],
    }


def _print(manifest: Manifest, alias: str | None, location: str) -> None:
    parts = manifest.shards or ()
    also = f" ({manifest.name}@{alias})" if alias else ""
    origin = manifest.lineage.get("sharded_from", "")
    click.echo(printable(f"registered {manifest.reference}{also} in {location}: {origin} in {len(parts)} parts"))
    heading("Parts")
    rows = [
        (
            str(at + 1),
            part.file,
            size_words(_bytes(manifest, at)),
            f"{part.share:.0%}",
            f"up to {size_words(_sends(manifest, at))} a text" if part.outputs else "the answer",
        )
        for at, part in enumerate(parts)
    ]
    by = manifest.lineage.get("cut", "").rpartition(" ")[2].upper()
    print_columns(("PART", "FILE", "SIZE", f"SHARE OF {by}", "SENDS"), rows)
    heading("What travels")
    print_columns(
        ("BEHIND PART", "TENSOR", "TYPE", "SHAPE", "ORIGIN"),
        [
            (
                str(at),
                one.name,
                one.dtype,
                " x ".join(map(str, one.shape)),
                "handed on" if one.name in part.passes else f"part {at}",
            )
            for at, part in enumerate(parts, start=1)
            for one in part.outputs
        ],
    )


def _bytes(manifest: Manifest, at: int) -> int:
    return sum(manifest.files[file].size for file in (manifest.shards or ())[at].files)


def _sends(manifest: Manifest, at: int) -> int:
    return sum(one.row_bytes(manifest.max_tokens) for one in (manifest.shards or ())[at].outputs)
