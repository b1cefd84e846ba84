"""Curves: the numbers as a table, the same as a picture."""

from __future__ import annotations

import struct

from benchmarks.curve import Curve, Line, draw, relative

COST = Line("pipeline", "CPU µs", [[50.0, 60.0, 70.0], [55.0, 66.0, 77.0]])
MEMORY = Line("pipeline", "MB", [[100.0], [110.0]])
CURVE = Curve("growth-x", "Growth: x", "partitions", (4, 64), [COST, MEMORY])


def size(png: bytes) -> tuple[int, int]:
    assert png.startswith(b"\x89PNG\r\n")
    width, height = struct.unpack(">II", png[16:24])
    return width, height


def test_a_size_has_a_row_with_median_and_spread_of_each_measure() -> None:
    table = CURVE.table()
    assert table.columns == ("partitions", "pipeline, CPU µs", "pipeline, MB")
    assert table.rows == [
        ("4", "60.0 (50.0-70.0)", "100.0 (100.0-100.0)"),
        ("64", "66.0 (55.0-77.0)", "110.0 (110.0-110.0)"),
    ]


def test_the_picture_has_a_panel_for_each_unit() -> None:
    both, one = size(CURVE.table().images["growth-x.png"]), size(draw(Curve("y", "y", "y", (4, 64), [COST])))
    assert (both[0], both[1]) == (2 * one[0], one[1])


def test_growth_is_compared_run_by_run() -> None:
    assert relative([[1.0, 10.0, 2.0], [2.0, 11.0, 4.0]], -1, 0) == 2.0
