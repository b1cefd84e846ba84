"""Facts in columns: a table on a terminal, aligned plain text otherwise."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Sequence

import click

from headrace.streams.cli.output import is_terminal, printable

__all__ = ["heading", "print_columns", "print_list", "print_pairs"]

_GAP = "  "


def heading(text: str) -> None:
    """Print a heading with an empty line above it."""
    click.echo()
    click.secho(text, bold=True)


def print_pairs(pairs: Sequence[tuple[str, str]]) -> None:
    """Print names and values, the values below each other."""
    width = max(len(name) for name, _ in pairs)
    for name, value in pairs:
        lines = _folded(printable(value), width + len(_GAP))
        click.echo(f"{click.style(name.ljust(width), dim=True)}{_GAP}{lines}")


def print_list(items: Sequence[str]) -> None:
    """Print sentences with a dash before each."""
    for item in items:
        click.echo(f"- {_folded(printable(item), 2)}")


def _folded(text: str, indent: int) -> str:
    """Return a text whose further lines, on a terminal that is narrower, stand below its first one."""
    if not is_terminal(sys.stdout):
        return text
    room = max(20, shutil.get_terminal_size().columns - indent)
    lines = textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False)
    return f"\n{' ' * indent}".join(lines)


def print_columns(names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under the names of their columns."""
    shown = [[printable(cell) for cell in row] for row in rows]
    if is_terminal(sys.stdout):
        _print_table(names, shown)
        return
    widths = [max(len(row[at]) for row in [list(names), *shown]) for at in range(len(names))]
    for row in [list(names), *shown]:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo(_GAP.join(cells).rstrip())


def _print_table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, len(_GAP), 0, 0), header_style="dim")
    for name in names:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)
