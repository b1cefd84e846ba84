"""Tables that are kept leave the rest of a page as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.figures import Bar, Table
from benchmarks.page import keep

ROOT = Path(__file__).parents[2]


def table(figure: str) -> Table:
    return Table("A long run", ("measure",), [(figure,)], [Bar("lost", 0, 0, at_most=True)], ["a note"])


@pytest.mark.parametrize("name", ["docs/reliability.md", "docs/benchmarks.md"])
def test_a_table_goes_behind_what_a_page_says_and_takes_the_place_of_the_older_one(tmp_path: Path, name: str) -> None:
    page, before = tmp_path / "page.md", (ROOT / name).read_text()
    page.write_text(before)
    for figure in ("older", "newer"):
        keep(page, [table(figure)], "an hour")
    text = page.read_text()
    assert text.startswith(before.rstrip("\n"))
    added = text.removeprefix(before)
    assert added.count("## A long run") == 1
    assert ("| newer |" in added, "older" in added) == (True, False)
