"""`headrace model verify`: prove that the parts of a model answer as the whole one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headrace.streams.cli.model_registry import open_registry, registry_option
from headrace.streams.cli.output import emit_json, json_option, printable, say

if TYPE_CHECKING:
    from headrace.core.registry.manifest import Manifest
    from headrace.streams.sharding.parity import Half, Parity

__all__ = ["verify"]


@click.command()
@click.argument("reference", metavar="NAME@VERSION|NAME@ALIAS")
@click.argument("texts", type=click.Path(path_type=Path), metavar="[TEXTS]", required=False)
@click.option("--text", "path", metavar="PATH", help="TEXTS is JSONL, and the text lies here in each line.")
@click.option("--against", metavar="NAME@VERSION", help="The whole model.  [default: the one that was cut]")
@click.option("--fp16", is_flag=True, help="Also say what half precision between the parts would change.")
@registry_option
@json_option
def verify(
    reference: str,
    texts: Path | None,
    *,
    path: str | None,
    against: str | None,
    fp16: bool,
    location: str | None,
    as_json: bool,
) -> None:
    """Compare the parts of a model with the whole one, each text alone and among others.

    TEXTS has a text a line; without it a few sentences that Headrace brings are used. Scores have to agree within
    1e-5, labels and token counts exactly; if they do not, the first tensor between two parts that differs is named.
    """
    from headrace.core.catalog import installed_catalog
    from headrace.streams.sharding.parity import compare, refuse_difference
    from headrace.streams.sharding.texts import read_texts
    from headrace.streams.sharding.version import Version, whole_of

    given = read_texts(texts, tuple(path.split(".")) if path else ())
    registry = open_registry(location)
    sharded = Version(registry, registry.resolve(reference))
    whole = whole_of(sharded, against)
    parity = compare(installed_catalog(), whole, sharded, given, half=fp16)
    if as_json:
        emit_json(_facts(sharded.manifest, whole.manifest, parity))
    refuse_difference(parity, sharded.manifest)
    if not as_json:
        _print(sharded.manifest, whole.manifest, parity)


def _facts(sharded: Manifest, whole: Manifest, parity: Parity) -> dict[str, Any]:
    from headrace.streams.sharding.parity import BATCHES, TOLERANCE

    first, half = parity.first, parity.half
    return {
        "reference": sharded.reference,
        "against": whole.reference,
        "texts": parity.texts,
        "batches": list(BATCHES),
        "tolerance": TOLERANCE,
        "equal": parity.is_equal,
        "largest_difference": parity.largest,
        "labels_changed": parity.labels_changed,
        "first_boundary": None if first is None else vars(first),
        "fp16": None if half is None else vars(half),
    }


def _print(sharded: Manifest, whole: Manifest, parity: Parity) -> None:
    from headrace.streams.sharding.parity import BATCHES

    many = " and ".join(map(str, BATCHES))
    click.echo(
        f"{sharded.reference} answers as {whole.reference}: {parity.texts} texts in batches of {many}, "
        f"the same labels, scores within {parity.largest:.1e}"
    )
    if parity.half is not None:
        _print_half(parity.half)


def _print_half(half: Half) -> None:
    if half.problem is not None:
        say(printable(f"half precision between the parts fails: {half.problem}"))
        return
    click.echo(
        f"half precision between the parts: scores within {half.largest:.1e}, {half.labels_changed} other labels"
    )
