"""Bars, the rule that makes a run void, and pictures beside a page."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.figures import Band, Table
from benchmarks.page import keep


@pytest.mark.parametrize(("seen", "counts"), [(0.9, False), (1.0, True), (1.1, True), (1.2, True), (1.3, False)])
def test_a_run_counts_only_between_both_ends(seen: float, *, counts: bool) -> None:
    band = Band("bare / peer", seen, 1.0, 1.2)
    assert band.is_met is counts
    assert ("VOID" in str(band)) is not counts


def test_a_picture_is_written_beside_the_page_and_shown_under_its_table(tmp_path: Path) -> None:
    page = tmp_path / "benchmarks.md"
    for content in (b"older", b"newer"):
        keep(page, [Table("A curve", ("size",), [("1",)], images={"curve.png": content})], "1 run")
    assert page.read_text().count("![A curve](images/curve.png)") == 1
    assert (tmp_path / "images" / "curve.png").read_bytes() == b"newer"


def test_a_table_that_was_not_measured_stays_to_the_letter(tmp_path: Path) -> None:
    page = tmp_path / "benchmarks.md"
    keep(page, [Table("One", ("a",), [("1",)]), Table("Other", ("b",), [("2",)])], "5 runs")
    other = page.read_text().partition("## Other")[2]
    keep(page, [Table("One", ("a",), [("3",)])], "1 run")
    assert page.read_text().partition("## Other")[2] == other
    assert "| 3 |" in page.read_text()
