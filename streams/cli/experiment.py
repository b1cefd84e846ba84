"""`headrace experiment`: list and show the experiments of a pipeline file, and who meets what in them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headrace.streams.cli import experiment_stop
from headrace.streams.cli.output import emit_json, json_option, pipeline_argument, say
from headrace.streams.cli.table import heading, print_columns, print_pairs

if TYPE_CHECKING:
    from headrace.core.experiments.experiment import Experiment

__all__ = ["experiment"]


@click.group()
def experiment() -> None:
    """List and show the experiments of a pipeline file, stop and start them while it runs."""


experiment.add_command(experiment_stop.stop)
experiment.add_command(experiment_stop.start)


@experiment.command("list")
@pipeline_argument
@json_option
def list_experiments(file: Path, as_json: bool) -> None:
    """List the experiments of FILE, and its holdout.

    Reads the file; asks no broker.
    """
    from headrace.core.plan.experiments import experiment_facts

    facts = [experiment_facts(one) for one in _experiments(file)]
    if as_json:
        emit_json(facts)
    elif not facts:
        say(f"{file} has no experiments; see docs/experiments.md")
    else:
        columns = ("experiment", "variants", "coverage", "layer", "segment")
        print_columns(columns, [_row(one) for one in facts])


@experiment.command("show")
@pipeline_argument
@click.argument("name", metavar="NAME")
@click.option("--unit", "units", multiple=True, metavar="UNIT", help="Say what this unit meets; may be repeated.")
@json_option
def show_experiment(file: Path, name: str, *, units: tuple[str, ...], as_json: bool) -> None:
    """Show experiment NAME of FILE: its variants, what they set, whom it is about, and what given units meet.

    Reads the file; asks no broker. A unit meets the same variant in a pipeline that runs.
    """
    from headrace.core.plan.experiments import experiment_facts

    found = _experiments(file)
    chosen = _named(name, found, file)
    facts = {**experiment_facts(chosen), "units": [_met(unit, chosen, found) for unit in units]}
    if as_json:
        emit_json(facts)
    else:
        _tell(facts)


def _experiments(file: Path) -> tuple[Experiment, ...]:
    """Return the experiments of a file that is otherwise not looked at: its models need not be there."""
    from pydantic import ValidationError

    from headrace.core.config.document import read_document
    from headrace.core.config.pipeline import PipelineFile
    from headrace.core.config.problem import problems_of
    from headrace.core.errors import ProblemsError
    from headrace.core.plan.experiments import experiment_problems, read_experiments

    document = read_document(file, os.environ)
    try:
        envelope = PipelineFile.model_validate(document.value)
    except ValidationError as error:
        raise ProblemsError([*document.problems, *problems_of(error, PipelineFile, document)]) from None
    problems = [*document.problems, *experiment_problems(document, envelope)]
    if problems:
        raise ProblemsError(problems)
    return read_experiments(document, envelope)


def _named(name: str, found: Sequence[Experiment], file: Path) -> Experiment:
    from headrace.core.config.errors import UnknownExperimentError
    from headrace.core.config.suggestion import suggest

    for one in found:
        if one.id == name:
            return one
    names = [one.id for one in found]
    raise UnknownExperimentError(f"{file} has no experiment {name!r}", mend=suggest(name, names, "experiment"))


def _met(unit: str, chosen: Experiment, others: Sequence[Experiment]) -> dict[str, Any]:
    """Return what a unit meets, and why not if it meets nothing; a segment is taken to hold."""
    from headrace.core.experiments.assign import variants
    from headrace.core.experiments.bucket import in_slice

    variant, reason = (variants([unit], chosen)[0], None) if unit else (None, "an empty unit is none")
    if unit and not chosen.keeps_out and any(variants([unit], one)[0] for one in others if one.keeps_out):
        variant, reason = None, "held out of every experiment"
    elif unit and variant is None:
        is_elsewhere = chosen.layer is not None and not in_slice(unit, chosen.layer, chosen.layer_range)
        reason = f"in another slice of layer {chosen.layer}" if is_elsewhere else "outside of its coverage"
    return {"unit": unit, "variant": variant, "reason": reason}


def _tell(facts: dict[str, Any]) -> None:
    print_pairs(
        [
            ("experiment", facts["id"]),
            ("coverage", _percent(facts["coverage"])),
            ("segment", facts["segment"] or "everyone"),
            ("layer", _layer(facts)),
            ("seed", facts["seed"]),
        ]
    )
    heading("Variants")
    rows = [(one["name"], _percent(one["weight"]), ", ".join(one["sets"]) or "-") for one in facts["variants"]]
    print_columns(("variant", "weight", "sets"), rows)
    if facts["units"]:
        heading("Units")
        print_columns(("unit", "meets"), [(one["unit"], _meets(one)) for one in facts["units"]])
        if facts["segment"]:
            say("only with records of the segment")


def _row(facts: dict[str, Any]) -> tuple[str, ...]:
    variants = ", ".join(f"{one['name']} {_percent(one['weight'])}" for one in facts["variants"])
    return facts["id"], variants, _percent(facts["coverage"]), _layer(facts), facts["segment"] or "-"


def _meets(met: dict[str, Any]) -> str:
    return str(met["variant"] or f"nothing: {met['reason']}")


def _layer(facts: dict[str, Any]) -> str:
    if facts["layer"] is None:
        return "-"
    begin, end = facts["slice"]
    return f"{facts['layer']} {_percent(begin)} to {_percent(end)}"


def _percent(share: float) -> str:
    return f"{share * 100:.4g}%"
