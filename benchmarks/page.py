"""docs/benchmarks.md: a head, and a section a table; measuring some of them anew keeps the others."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.figures import Table, machine

__all__ = ["keep"]

HEAD = """\
# Benchmarks

Printed by `make bench`: medians of interleaved runs, least and greatest in brackets. What is measured has core 0 for
itself; Kafka, load and driver share core 1. Machines differ and are noisy: the ratios are what counts.
"""
_SECTION = "\n## "


def keep(page: Path, tables: Sequence[Table], runs: int) -> None:
    """Write the tables into the page, each in the place of the one with its title, new ones behind the others.

    Args:
        page: the file; it need not be there.
        tables: what was measured.
        runs: how many interleaved runs each is the median of.
    """
    sections = _sections(page.read_text()) if page.exists() else {}
    for table in tables:
        sections[table.title] = f"{table.markdown().rstrip()}\n- {_measured(runs)}\n"
    page.write_text("\n".join([HEAD, *(text.strip("\n") + "\n" for text in sections.values())]))


def _sections(text: str) -> dict[str, str]:
    """Return the sections of a page by their titles."""
    found = text.split(_SECTION)[1:]
    return {one.partition("\n")[0]: f"## {one}" for one in found}


def _measured(runs: int) -> str:
    facts = ", ".join(f"{name} {value}" for name, value in machine().items())
    return f"measured {time.strftime('%Y-%m-%d')}, {runs} runs; {facts}"
