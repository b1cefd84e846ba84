"""`headrace plan`: show what a pipeline file compiles to."""

from __future__ import annotations

from pathlib import Path

import click

from headrace.streams.cli.output import emit_json, json_option, pipeline_argument

__all__ = ["plan"]


@click.command()
@pipeline_argument
@json_option
@click.option("--mermaid", "as_mermaid", is_flag=True, help="Print a Mermaid flowchart.")
def plan(file: Path, as_json: bool, as_mermaid: bool) -> None:
    """Show what FILE compiles to: groups, stages, links, models, topics, and what is promised.

    Reads the file and what the registry says of its models; asks no broker and loads no model.
    """
    from headrace.core.plan.compile import compile_file
    from headrace.core.plan.facts import plan_facts
    from headrace.core.plan.mermaid import mermaid
    from headrace.streams.cli.plan_text import tell_plan
    from headrace.streams.machine import usable_cores
    from headrace.streams.registry import default_location

    if as_json and as_mermaid:
        raise click.UsageError("--json and --mermaid are two answers; ask for one.")
    compiled = compile_file(file, registry=default_location())
    if as_mermaid:
        click.echo(mermaid(compiled), nl=False)
        return
    facts = plan_facts(compiled)
    facts["machine"] = {"threads": usable_cores()}
    if as_json:
        emit_json(facts)
    else:
        tell_plan(facts)
