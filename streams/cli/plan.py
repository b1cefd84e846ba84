"""`headrace plan`: show what a pipeline file compiles to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from headrace.streams.cli.output import emit_json, json_option, pipeline_argument, printable, threads_option

if TYPE_CHECKING:
    from headrace.core.plan.plan import Plan

__all__ = ["plan"]


@click.command()
@pipeline_argument
@json_option
@click.option("--mermaid", "as_mermaid", is_flag=True, help="Print a Mermaid flowchart.")
@click.option("--acls", "as_acls", is_flag=True, help="Print the rights that each group needs, as kafka-acls commands.")
@threads_option
@click.option("--principal", metavar="NAME", help="Whose rights --acls prints; without it, the user of the broker.")
def plan(
    file: Path, *, as_json: bool, as_mermaid: bool, as_acls: bool, principal: str | None, threads: int | None
) -> None:
    """Show what FILE compiles to: groups, stages, links, models, topics, and what is promised.

    Reads the file and what the registry says of its models; asks no broker and loads no model.
    """
    from headrace.core.plan.compile import compile_file
    from headrace.core.plan.facts import plan_facts
    from headrace.core.plan.mermaid import mermaid
    from headrace.streams.cli.plan_text import tell_plan
    from headrace.streams.registry import default_location
    from headrace.streams.threads import threads_of

    if as_mermaid and (as_json or as_acls):
        raise click.UsageError("--mermaid and the others are two answers; ask for one.")
    if principal is not None and not as_acls:
        raise click.UsageError("--principal is about --acls.")
    compiled = compile_file(file, registry=default_location())
    if as_acls:
        _tell_acls(compiled, principal, as_json=as_json)
        return
    if as_mermaid:
        click.echo(mermaid(compiled), nl=False)
        return
    facts = plan_facts(compiled)
    facts["machine"] = threads_of(compiled, threads)._asdict()
    if as_json:
        emit_json(facts)
    else:
        tell_plan(facts)


def _tell_acls(compiled: Plan, principal: str | None, *, as_json: bool) -> None:
    from headrace.streams.cli.plan_acls import acl_commands, acl_facts, acting_principal

    whose = principal or acting_principal(compiled)
    if as_json:
        emit_json(acl_facts(compiled, whose))
    else:
        click.echo("\n".join(printable(line) for line in acl_commands(compiled, whose)))
