"""`headrace schema`: print what files and messages look like, for editors, code generators and stream registries."""

from __future__ import annotations

from pathlib import Path

import click

from headrace.streams.cli.errors import UnknownMessageError
from headrace.streams.cli.output import emit_json, pipeline_argument
from headrace.streams.cli.table import print_columns

__all__ = ["schema"]


@click.group()
def schema() -> None:
    """Print the JSON Schema of files and messages, and AsyncAPI."""


@schema.command("file")
def file_command() -> None:
    """Print the JSON Schema of the pipeline file, with the options of every installed step.

    Editors complete and check pipeline files with it; `headrace check` knows more and has the last word.
    """
    from headrace.core.catalog import installed_catalog
    from headrace.core.schema.file import file_schema

    emit_json(file_schema(installed_catalog()))


@schema.command("message")
@click.argument("name", required=False, metavar="[NAME]")
def message_command(name: str | None) -> None:
    """Print the JSON Schema of a kind of message, such as result; without NAME, list all of them.

    Names that end with -headers are of headers, whose values are UTF-8 texts.
    """
    from headrace.core.schema.messages import message_schemas

    schemas = message_schemas()
    if name is None:
        print_columns(("NAME", "WHAT IT IS"), [(known, one["description"]) for known, one in schemas.items()])
        return
    if name not in schemas:
        from headrace.core.config.suggestion import suggest

        raise UnknownMessageError(f"there is no kind of message {name!r}", mend=suggest(name, schemas))
    emit_json(schemas[name])


@schema.command("asyncapi")
@pipeline_argument
def asyncapi_command(file: Path) -> None:
    """Print AsyncAPI 3.0 of the topics of FILE: what one may publish, and what one can read.

    Reads the file and what the registry says of its models; asks no broker.
    """
    from headrace.core.plan.compile import compile_file
    from headrace.core.schema.asyncapi import asyncapi
    from headrace.streams.registry import default_location

    emit_json(asyncapi(compile_file(file, registry=default_location())))
