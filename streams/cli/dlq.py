"""`headrace dlq`: look at dead letters, and publish them again once their cause is mended."""

from __future__ import annotations

import click

from headrace.streams.cli import dlq_list, dlq_redrive, dlq_show

__all__ = ["dlq"]


@click.group()
def dlq() -> None:
    """List, show and redrive the dead letters of a pipeline: records that could not become results.

    A letter is named by its place in the topic PIPELINE.dead: PARTITION:OFFSET.
    """


dlq.add_command(dlq_list.list_letters)
dlq.add_command(dlq_show.show)
dlq.add_command(dlq_redrive.redrive)
