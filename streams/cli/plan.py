"""`headrace plan`: show what a pipeline file compiles to."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from headrace.streams.cli.output import emit_json, json_option, pipeline_argument
from headrace.streams.cli.table import heading, print_columns, print_pairs

__all__ = ["plan"]


@click.command()
@pipeline_argument
@json_option
def plan(file: Path, as_json: bool) -> None:
    """Show what FILE compiles to: stages, models, topics, and what is promised.

    Reads the file and what the registry says of its models; asks no broker and loads no model.
    """
    from headrace.core.plan.compile import compile_file
    from headrace.core.plan.facts import plan_facts
    from headrace.streams.machine import usable_cores
    from headrace.streams.registry import default_location

    facts = plan_facts(compile_file(file, registry=default_location()))
    facts["machine"] = {"threads": usable_cores()}
    if as_json:
        emit_json(facts)
    else:
        _tell(facts)


def _tell(facts: dict[str, Any]) -> None:
    print_pairs(_pairs(facts))
    heading("Stages")
    print_columns(("stage", "steps", "consumer group"), [_stage(stage) for stage in facts["stages"]])
    if facts["models"]:
        heading("Models")
        print_columns(("model", "step", "version", "size", "labels"), [_model(model) for model in facts["models"]])
    heading("Outputs")
    print_columns(("output", "step", "when"), [_output(output) for output in facts["outputs"]])
    heading("Topics")
    print_columns(("topic", "role", "partitions", "settings"), [_topic(topic) for topic in facts["topics"]])
    heading("Promises")
    for promise in facts["promises"]:
        click.echo(f"- {promise}")


def _pairs(facts: dict[str, Any]) -> list[tuple[str, str]]:
    source, batch, delivery = facts["input"], facts["batch"], facts["delivery"]
    reads = [f"{source['topic']} as {source['codec']['name']}"]
    reads += [f"{name} at {source[name]}" for name in ("text", "unit") if source[name]]
    reads += [f"starting at {source['start']}", f"at most {_size(source['max_bytes'])} a message"]
    batches = f"{batch['max_records']} records, or what {batch['max_wait']:g} ms bring"
    return [
        ("pipeline", facts["pipeline"]),
        ("plan", facts["plan"]),
        ("input", ", ".join(reads)),
        ("batch", f"{batches}; up to {batch['max_tokens']:,} tokens in one run of a model"),
        ("delivery", f"{delivery['guarantee'].replace('_', ' ')}, committed every {delivery['commit_every']:g} ms"),
        ("broker", _broker(facts["broker"])),
        ("registry", facts["registry"]),
        ("machine", f"{facts['machine']['threads']} processor threads for the models"),
    ]


def _broker(named: str | None) -> str:
    if named:
        return named
    chosen = os.environ.get("HEADRACE_BROKER")
    return (
        f"{chosen} (HEADRACE_BROKER)" if chosen else "the embedded one, since neither file nor HEADRACE_BROKER name one"
    )


def _stage(stage: dict[str, Any]) -> tuple[str, str, str]:
    return stage["name"], " > ".join(stage["steps"]), stage["group"]


def _model(model: dict[str, Any]) -> tuple[str, ...]:
    size = _size(model["size_bytes"]) if model["size_bytes"] else "-"
    return model["name"], model["step"]["name"], model["version"], size, ", ".join(model["labels"]) or "-"


def _output(output: dict[str, Any]) -> tuple[str, str, str]:
    return output["name"], output["step"]["name"], output["when"] or "every result"


def _topic(topic: dict[str, Any]) -> tuple[str, ...]:
    partitions = "as the input" if topic["partitions"] is None else str(topic["partitions"])
    if topic["role"] == "input" and topic["partitions"] is None:
        partitions = "as there are, or 8"
    settings = ", ".join(f"{name}={value}" for name, value in topic["config"].items())
    return topic["name"], topic["role"], partitions, settings


def _size(count: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.3g} {unit}"
        count /= 1024
    return f"{count:.3g} GiB"
