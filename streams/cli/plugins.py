"""`headrace plugins`: list, show and check the steps that the installed plugins bring."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from headrace.core.errors import PluginError, ProblemsError
from headrace.streams.cli.output import emit_json, json_option
from headrace.streams.cli.table import heading, print_columns, print_pairs

if TYPE_CHECKING:
    from headrace.core.catalog import Catalog
    from headrace.core.step import Kind, StepSpec

__all__ = ["plugins"]

_KINDS = ("codec", "splitter", "preprocess", "router", "model", "postprocess", "sink")


@click.group()
def plugins() -> None:
    """List, show and check the steps that the installed plugins bring."""


@plugins.command("list")
@click.option("--kind", type=click.Choice(_KINDS), help="Only steps of this kind.")
@json_option
def list_plugins(kind: Kind | None, as_json: bool) -> None:
    """List every step, where it comes from, and every plugin that could not be loaded."""
    catalog = _catalog()
    specs = [spec for spec in catalog.specs() if kind in (None, spec.kind)]
    broken = [plugin for plugin in catalog.plugins if plugin.fault]
    doubled = [problem.fault for problem in catalog.doubled()]
    if as_json:
        steps = [_step_facts(spec, catalog) for spec in specs]
        emit_json({"steps": steps, "broken": [plugin._asdict() for plugin in broken], "doubled": doubled})
        return
    print_columns(("KIND", "NAME", "FROM", "WHAT IT DOES"), [_row(spec, catalog) for spec in specs])
    if broken:
        heading("Could not be loaded")
        rows = [(plugin.name, _named(plugin.distribution, plugin.version), plugin.fault) for plugin in broken]
        print_columns(("PLUGIN", "FROM", "WHY"), rows)
    if doubled:
        heading("Registered twice, so that neither is taken")
        for fault in doubled:
            click.echo(fault)


@plugins.command("show")
@click.argument("kind", type=click.Choice(_KINDS), metavar="KIND")
@click.argument("name")
@json_option
def show_plugin(kind: Kind, name: str, as_json: bool) -> None:
    """Show what the step NAME of KIND does, its options, and the distribution that brings it."""
    catalog = _catalog()
    spec = _find(catalog, kind, name)
    if as_json:
        emit_json({**_step_facts(spec, catalog), "text": _text(spec), "options": _options(spec)})
        return
    print_pairs([("step", f"{spec.kind} {spec.name}"), ("from", _origin(spec, catalog)), ("made by", _maker(spec))])
    click.echo(f"\n{_text(spec)}")
    heading("Options")
    rows = [tuple(option.values()) for option in _options(spec)]
    if rows:
        print_columns(("OPTION", "TYPE", "DEFAULT", "MEANING"), rows)
    else:
        click.echo("none")


@plugins.command("check")
@json_option
@click.pass_context
def check_plugins(ctx: click.Context, as_json: bool) -> None:
    """Name every plugin that is broken, and every step that nobody can use.

    Each problem is a line on stderr; exit 1 if there is any.
    """
    catalog = _catalog()
    problems = _problems(catalog)
    if as_json:
        said = [{"code": problem.code, "fault": problem.fault, "mend": problem.mend} for problem in problems]
        emit_json({"ok": not problems, "problems": said})
        ctx.exit(1 if problems else 0)
    if problems:
        raise ProblemsError(problems)
    click.echo(f"{len(catalog.plugins)} plugins, {len(catalog.specs())} steps: ok")


def _catalog() -> Catalog:
    from headrace.core.catalog import installed_catalog

    return installed_catalog()


def _find(catalog: Catalog, kind: Kind, name: str) -> StepSpec:
    from headrace.core.config.errors import UnknownStepError
    from headrace.core.config.suggestion import suggest

    spec = catalog.find(kind, name)
    if spec is not None:
        return spec
    catalog.refuse_broken(name)
    raise UnknownStepError(f"no {kind} step named {name!r}", mend=suggest(name, catalog.names(kind), "installed"))


def _problems(catalog: Catalog) -> Sequence[PluginError]:
    from headrace.core.catalog import broken_plugin
    from headrace.core.schema.file import options_schema

    problems: list[PluginError] = [broken_plugin(name, fault) for name, fault in catalog.broken.items()]
    problems += catalog.doubled()
    for spec in catalog.specs():
        try:
            options_schema(spec)
        except PluginError as error:
            problems.append(error)
    return problems


def _row(spec: StepSpec, catalog: Catalog) -> tuple[str, ...]:
    return spec.kind, spec.name, _origin(spec, catalog), spec.summary


def _step_facts(spec: StepSpec, catalog: Catalog) -> dict[str, Any]:
    version = _versions(catalog).get(spec.distribution, "")
    return {
        "kind": spec.kind,
        "name": spec.name,
        "distribution": spec.distribution,
        "version": version,
        "made_by": _maker(spec),
        "summary": spec.summary,
    }


def _options(spec: StepSpec) -> list[dict[str, str]]:
    from headrace.core.schema.keys import key_rows

    # The backticks are for pages; on a terminal, and to a program, they are noise.
    return [{name: text.replace("`", "") for name, text in row._asdict().items()} for row in key_rows(spec.options)]


def _origin(spec: StepSpec, catalog: Catalog) -> str:
    return _named(spec.distribution, _versions(catalog).get(spec.distribution, ""))


def _versions(catalog: Catalog) -> dict[str, str]:
    return {plugin.distribution: plugin.version for plugin in catalog.plugins}


def _named(distribution: str, version: str) -> str:
    return f"{distribution} {version}".strip()


def _maker(spec: StepSpec) -> str:
    return f"{spec.factory.__module__}.{getattr(spec.factory, '__qualname__', type(spec.factory).__name__)}"


def _text(spec: StepSpec) -> str:
    return inspect.getdoc(spec.factory) or "Its author says nothing of it."
