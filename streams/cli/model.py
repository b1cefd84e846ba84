"""`headrace model`: the models of a registry, and those of a running pipeline."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headrace.streams.cli import model_promote, model_shard, model_stop, model_verify
from headrace.streams.cli.model_registry import open_registry, registry_option, size_words
from headrace.streams.cli.output import emit_json, json_option, printable, say
from headrace.streams.cli.table import print_columns, print_pairs

if TYPE_CHECKING:
    from headrace.core.registry.manifest import Manifest, Scores, Task
    from headrace.core.registry.store import Listed, Registry

__all__ = ["model"]

_LISTED_LABELS = 4


@click.group()
def model() -> None:
    """Import, list, show and shard models of the registry; promote, stop and start those of a running pipeline."""


model.add_command(model_shard.shard)
model.add_command(model_verify.verify)
model.add_command(model_promote.promote)
model.add_command(model_stop.stop)
model.add_command(model_stop.start)


@model.command("import")
@click.argument("name")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--version", type=click.IntRange(min=1), help="Number of the version.  [default: the next]")
@click.option("--alias", help="Let this alias mean the new version, such as prod.")
@click.option("--label", "labels", multiple=True, help="Name of a logit; repeat in order.  [default: config.json]")
@click.option("--max-tokens", type=click.IntRange(min=1), help="Longest text.  [default: what its files say]")
@click.option(
    "--task",
    type=click.Choice(["text-classification", "tensor"]),
    default="text-classification",
    show_default=True,
    help="tensor: takes numbers and gives numbers.",
)
@click.option(
    "--scores",
    type=click.Choice(["logits", "probabilities"]),
    help="What a model of tensors with labels gives.  [default: tried]",
)
@click.option("--graph", metavar="FILE", help="The ONNX file in FOLDER, when there are several.")
@registry_option
@json_option
def import_model(
    name: str,
    folder: Path,
    *,
    version: int | None,
    alias: str | None,
    labels: tuple[str, ...],
    max_tokens: int | None,
    task: Task,
    scores: Scores | None,
    graph: str | None,
    location: str | None,
    as_json: bool,
) -> None:
    """Register the model of FOLDER as the next version of NAME.

    FOLDER has an ONNX graph for text classification and its tokenizer, as Hugging Face lays them out; with --task
    tensor a graph is all it needs. The model is opened and tried first; a version's files never change afterwards.
    """
    from headrace.core.catalog import installed_catalog
    from headrace.core.registry.folder import read_folder, read_tensor_folder
    from headrace.core.registry.manifest import TENSOR
    from headrace.core.registry.reference import check_alias, check_name
    from headrace.streams.model_trial import tried

    check_name(name)
    if alias is not None:
        check_alias(alias)
    registry = open_registry(location)
    if task == TENSOR:
        _refuse_text_options(max_tokens, scores, labels)
        source = replace(read_tensor_folder(folder, graph=graph, labels=labels), scores=scores)
    else:
        _refuse_tensor_options(scores)
        source = read_folder(folder, graph=graph, labels=labels, max_tokens=max_tokens)
    source = tried(source, name, version or registry.next_version(name), installed_catalog())
    manifest = registry.add(source, name, version=version, alias=alias)
    if as_json:
        emit_json(_facts(manifest, (alias,) if alias else (), registry))
        return
    _print_registered(manifest, alias, registry)


def _refuse_text_options(max_tokens: int | None, scores: str | None, labels: Sequence[str]) -> None:
    if max_tokens is not None:
        raise click.UsageError("--max-tokens is for models of texts")
    if scores is not None and not labels:
        raise click.UsageError("--scores says what those of the labels are; give them with --label")


def _refuse_tensor_options(scores: str | None) -> None:
    if scores is not None:
        raise click.UsageError("--scores is for --task tensor")


@model.command("list")
@registry_option
@json_option
def list_models(location: str | None, as_json: bool) -> None:
    """List every version of every model."""
    registry = open_registry(location)
    found = registry.list()
    if as_json:
        emit_json([_listed_facts(listed, registry) for listed in found])
    elif not found:
        say(f"the registry {registry.location} has no models; headrace model import NAME FOLDER")
    else:
        _print_listed(found)


@model.command("show")
@click.argument("reference", metavar="NAME@VERSION|NAME@ALIAS")
@click.option("--verify", is_flag=True, help="Read every file and compare its sha256 with the manifest.")
@registry_option
@json_option
def show_model(reference: str, verify: bool, location: str | None, as_json: bool) -> None:
    """Show what is known of a version, and whether its files are whole."""
    registry = open_registry(location)
    manifest = registry.resolve(reference)
    check: Callable[[Manifest], None] = registry.verify if verify else registry.check
    check(manifest)
    aliases = tuple(sorted(a for a, to in registry.aliases(manifest.name).items() if to == manifest.version))
    facts = {**_facts(manifest, aliases, registry), "verified": verify}
    if as_json:
        emit_json(facts)
        return
    _print_shown(manifest, facts)


def _facts(manifest: Manifest, aliases: tuple[str, ...], registry: Registry) -> dict[str, Any]:
    return {
        "reference": manifest.reference,
        "aliases": list(aliases),
        "registry": registry.location,
        "size_bytes": manifest.size_bytes,
        "hash": manifest.hash,
        **manifest.model_dump(mode="json"),
    }


def _listed_facts(listed: Listed, registry: Registry) -> dict[str, Any]:
    if listed.manifest is not None:
        return _facts(listed.manifest, listed.aliases, registry)
    return {
        "reference": f"{listed.name}@{listed.version}",
        "aliases": list(listed.aliases),
        "problem": str(listed.problem),
    }


def _print_registered(manifest: Manifest, alias: str | None, registry: Registry) -> None:
    also = f" ({manifest.name}@{alias})" if alias else ""
    click.echo(
        f"registered {manifest.reference}{also} in {registry.location}: {_does(manifest)}; "
        f"{size_words(manifest.size_bytes)}"
    )
    if not manifest.batch_invariant:
        say(
            f"its scores change with the {_unit(manifest)}s that share a run (dynamic quantisation does that), so each "
            f"{_unit(manifest)} will run alone, which is slower; quantise weights only, or statically, to avoid it"
        )


def _unit(manifest: Manifest) -> str:
    return "text" if manifest.max_tokens else "record"


def _does(manifest: Manifest) -> str:
    if manifest.max_tokens:
        return f"labels {_few_labels(manifest)}; up to {manifest.max_tokens} tokens"
    takes, gives = (", ".join(map(str, specs)) for specs in (manifest.takes, manifest.gives))
    labels = f"; labels {_few_labels(manifest)} from {manifest.scores}" if manifest.labels else ""
    return f"takes {takes}; gives {gives}{labels}"


def _print_listed(found: Sequence[Listed]) -> None:
    print_columns(("MODEL", "ALIASES", "LABELS", "TOKENS", "SIZE", "CREATED"), [_row(listed) for listed in found])
    for listed in found:
        if listed.problem is not None:
            say(printable(str(listed.problem)))


def _row(listed: Listed) -> tuple[str, ...]:
    first = (f"{listed.name}@{listed.version}", ", ".join(listed.aliases) or "-")
    manifest = listed.manifest
    if manifest is None:
        return (*first, "damaged", "-", "-", "-")
    to_the_minute = manifest.created[:16].replace("T", " ")
    return (
        *first,
        _few_labels(manifest) or "-",
        str(manifest.max_tokens or "-"),
        size_words(manifest.size_bytes),
        to_the_minute,
    )


def _few_labels(manifest: Manifest) -> str:
    few = manifest.labels[:_LISTED_LABELS]
    more = len(manifest.labels) - len(few)
    return ", ".join(few) + (f" and {more} more" if more else "")


def _print_shown(manifest: Manifest, facts: Mapping[str, Any]) -> None:
    one = _unit(manifest)
    runs = f"{one}s together" if manifest.batch_invariant else f"each {one} alone: its scores depend on batch mates"
    state = "sha256 verified" if facts["verified"] else "sizes checked; --verify reads them"
    lineage = [(printable(name), value) for name, value in manifest.lineage.items()]
    print_pairs(
        [
            ("model", ", ".join([manifest.reference, *(f"{manifest.name}@{alias}" for alias in facts["aliases"])])),
            ("registry", facts["registry"]),
            ("task", manifest.task),
            ("labels", ", ".join(manifest.labels) or "-"),
            *_form(manifest),
            ("runs", runs),
            *_parts(manifest),
            ("created", manifest.created),
            ("hash", manifest.hash),
            *lineage,
            ("files", f"{len(manifest.files)}, {size_words(manifest.size_bytes)}, {state}"),
        ]
    )
    click.echo()
    rows = [(path, size_words(file.size), f"{file.sha256[:16]}…") for path, file in manifest.files.items()]
    print_columns(("FILE", "SIZE", "SHA256"), rows)


def _form(manifest: Manifest) -> list[tuple[str, str]]:
    if manifest.max_tokens:
        return [("tokens", f"up to {manifest.max_tokens}"), ("inputs", ", ".join(manifest.inputs) or "-")]
    scores = [("scores", manifest.scores)] if manifest.scores else []
    tensors = [("takes", ", ".join(map(str, manifest.takes))), ("gives", ", ".join(map(str, manifest.gives)))]
    return [*tensors, *scores]


def _parts(manifest: Manifest) -> list[tuple[str, str]]:
    shares = ", ".join(f"{shard.file} {shard.share:.0%}" for shard in manifest.shards or ())
    return [("parts", f"{len(manifest.shards)}: {shares}")] if manifest.shards else []
