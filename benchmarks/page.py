"""A page of tables: a section each under a head; measuring some of them anew keeps all others as they are."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.figures import IMAGES, Table, machine

__all__ = ["keep"]

HEAD = """\
# Benchmarks

Printed by `make bench`: medians of interleaved runs, least and greatest in brackets. What is measured has core 0 for
itself; Kafka, load and driver share core 1. Machines differ and are noisy: the ratios are what counts.
"""
_SECTION = "\n## "


def keep(page: Path, tables: Sequence[Table], how: str) -> None:
    """Write the tables into the page, each in the place of the one with its title, new ones behind the others.

    Their pictures go into a folder beside the page.

    Args:
        page: the file; one that is not there becomes the page of the benchmarks.
        tables: what was measured.
        how: said beside the day and the machine.
    """
    head, *sections_there = (page.read_text() if page.exists() else HEAD).split(_SECTION)
    sections = {one.partition("\n")[0]: f"## {one}" for one in sections_there}
    for table in tables:
        for name, picture in table.images.items():
            file = page.parent / IMAGES / name
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(picture)
        sections[table.title] = f"{table.markdown().rstrip()}\n- {_measured(how)}\n"
    page.write_text("\n".join([head.strip("\n") + "\n", *(text.strip("\n") + "\n" for text in sections.values())]))


def _measured(how: str) -> str:
    facts = ", ".join(f"{name} {value}" for name, value in machine().items())
    return f"measured {time.strftime('%Y-%m-%d')}, {how}; {facts}"
