"""`headrace schema`: print what files and messages look like, for editors, code generators and stream registries."""

from __future__ import annotations

import click

from headrace.streams.cli.output import emit_json

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
