"""The options that select dead letters, the same for every command on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from headrace.streams.cli.moment import Moment

if TYPE_CHECKING:
    from headrace.streams.dlq.filter import Filter

__all__ = ["filter_options", "read_filter"]

Command = TypeVar("Command", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "--reason",
        "reasons",
        multiple=True,
        metavar="CODE|CLASS|ERROR",
        help="Such as HR501, publisher or TextMissingError; several mean any of them.",
    ),
    click.option("--plugin", "plugins", multiple=True, metavar="NAME", help="The step that failed."),
    click.option("--stage", "stages", multiple=True, metavar="NAME", help="Where: ingress, egress, or a model."),
    click.option("--id", "ids", multiple=True, metavar="ID", help="The record: TOPIC:PARTITION:OFFSET or its event."),
    click.option("--since", type=Moment(), help="Not those that died before: a time, or how long ago (2h)."),
    click.option("--until", type=Moment(), help="Only those that died before."),
)


def filter_options(command: Command) -> Command:
    """Give a command the options that select letters."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def read_filter(options: dict[str, Any], **more: Any) -> Filter:
    """Return what the options select.

    Args:
        options: as click gives them.
        more: further fields of the filter.
    """
    from headrace.streams.dlq.filter import Filter

    return Filter(
        reasons=frozenset(reason.casefold() for reason in options["reasons"]),
        plugins=frozenset(options["plugins"]),
        stages=frozenset(options["stages"]),
        ids=frozenset(options["ids"]),
        since_ms=options["since"],
        until_ms=options["until"],
        **more,
    )
