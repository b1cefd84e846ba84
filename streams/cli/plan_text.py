"""A plan as `headrace plan` shows it to people."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from headrace.streams.cli.table import heading, print_columns, print_list, print_pairs

__all__ = ["tell_plan"]

Facts = dict[str, Any]


def tell_plan(facts: Facts) -> None:
    """Print what `plan_facts` says of a plan, and `machine`; sections that would be empty are left out."""
    print_pairs(_pairs(facts))
    _section("Groups", ("group", "workers", "stages", "each worker holds"), map(_group, facts["groups"]))
    _section("Stages", ("stage", "group", "steps", "reads", "consumer group"), map(_stage, facts["stages"]))
    _section("Links", ("topic", "partitions", "message", "balance", "tensors"), map(_link, facts["links"]))
    _section("Joins", ("models", "join", "answers", "deadline", "kept in"), map(_join, facts["joins"]))
    _section("Models", ("model", "step", "version", "size", "labels"), map(_model, facts["models"]))
    variants = [row for experiment in facts["experiments"] for row in _variants(experiment)]
    _section("Experiments", ("experiment", "units", "variant", "weight", "sets"), iter(variants))
    _section("Outputs", ("output", "step", "when"), map(_output, facts["outputs"]))
    topics = [topic for topic in facts["topics"] if topic["role"] != "link"]
    _section("Topics", ("topic", "role", "partitions"), map(_topic, topics))
    heading("Promises")
    print_list(facts["promises"])


def _section(title: str, names: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> None:
    shown = list(rows)
    if shown:
        heading(title)
        print_columns(names, shown)


def _pairs(facts: Facts) -> list[tuple[str, str]]:
    source, batch, delivery = facts["input"], facts["batch"], facts["delivery"]
    reads = [f"{source['topic']} as {source['codec']['name']}"]
    reads += [f"{name} at {source[name]}" for name in ("text", "unit") if source[name]]
    reads += [f"starting at {source['start']}", f"at most {_binary(source['max_bytes'])} a message"]
    batches = f"{batch['max_records']} records, or what {batch['max_wait']:g} ms bring"
    return [
        ("pipeline", facts["pipeline"]),
        ("plan", facts["plan"]),
        ("input", ", ".join(reads)),
        ("batch", f"{batches}; up to {batch['max_tokens']:,} tokens in one run of a model"),
        ("delivery", f"{delivery['guarantee'].replace('_', ' ')}, committed every {delivery['commit_every']:g} ms"),
        ("broker", _broker(facts["broker"])),
        ("registry", facts["registry"]),
        ("machine", _machine(facts["machine"])),
    ]


def _machine(machine: Facts) -> str:
    threads = machine["threads"]
    return f"{threads} processor thread{'' if threads == 1 else 's'} a run of a model: {machine['reason']}"


def _broker(named: str | None) -> str:
    if named:
        return named
    chosen = os.environ.get("HEADRACE_BROKER")
    return (
        f"{chosen} (HEADRACE_BROKER)" if chosen else "the embedded one, since neither file nor HEADRACE_BROKER name one"
    )


def _group(group: Facts) -> tuple[str, ...]:
    held = f"about {_decimal(group['model_bytes'])} of model" if group["model_bytes"] else "no model files"
    return group["name"], str(group["replicas"]), ", ".join(group["stages"]), held


def _stage(stage: Facts) -> tuple[str, ...]:
    reads = "input" if stage["kind"] == "ingress" else "its link" if stage["reads"] else "-"
    member = stage["consumer_group"] if stage["reads"] else "-"
    return stage["name"], stage["group"], " > ".join(stage["steps"]), reads, member


def _link(link: Facts) -> tuple[str, ...]:
    at_most = f"up to {_binary(link['max_bytes'])}"
    return link["topic"], _partitions(link), at_most, link["balance"], link["tensors"] or "-"


def _join(join: Facts) -> tuple[str, ...]:
    counts = [f"{model} counts {weight:g}" for model, weight in join["weights"].items()]
    deadline = "-" if join["deadline_ms"] is None else f"{join['deadline_ms']:g} ms"
    enough = "all" if join["answers"] == len(join["models"]) else str(join["answers"])
    kept = join["state"] or "-"
    return ", ".join(join["models"]), ", ".join([join["join"], *counts]), enough, deadline, kept


def _model(model: Facts) -> tuple[str, ...]:
    size = _decimal(model["size_bytes"]) if model["size_bytes"] else "-"
    if model["parts"]:
        size = f"{size}: {' + '.join(_decimal(part['size_bytes']) for part in model['parts'])}"
    return model["name"], model["step"]["name"], model["version"], size, ", ".join(model["labels"]) or "-"


def _variants(experiment: Facts) -> Iterator[tuple[str, ...]]:
    units = "all" if experiment["coverage"] == 1 else f"{100 * experiment['coverage']:g}%"
    if experiment["layer"] is not None:
        start, end = experiment["slice"]
        units += f" of layer {experiment['layer']}"
        units += f" {100 * start:g}% to {100 * end:g}%" if (start, end) != (0, 1) else ""
    if experiment["segment"]:
        units += f" where {experiment['segment']}"
    for at, variant in enumerate(experiment["variants"]):
        first = ("", "") if at else (experiment["id"], units)
        yield *first, variant["name"], f"{100 * variant['weight']:.3g}%", ", ".join(variant["sets"]) or "-"


def _output(output: Facts) -> tuple[str, ...]:
    return output["name"], output["step"]["name"], output["when"] or "every result"


def _topic(topic: Facts) -> tuple[str, ...]:
    unknown = topic["role"] == "input" and topic["partitions"] is None
    return topic["name"], topic["role"], "as there are, or 8" if unknown else _partitions(topic)


def _partitions(topic: Facts) -> str:
    return "as the input" if topic["partitions"] is None else str(topic["partitions"])


def _binary(count: float) -> str:
    """Return bytes as limits of Kafka are written."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.3g} {unit}"
        count /= 1024
    return f"{count:.3g} GiB"


def _decimal(count: float) -> str:
    """Return bytes as sizes of files are written."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB"
