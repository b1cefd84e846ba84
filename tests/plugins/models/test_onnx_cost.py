"""What runs cost: a few are measured, the rest follows, and nothing good is expected of what was not measured."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.plugins.models.onnx_cost import BUDGET_S, MOST_S, CostTable, Shape, measure, shapes


class Machine:
    """A clock that runs while models do, and what each run took."""

    def __init__(self, ms_of_a_token: float, slow_first: float = 1.0) -> None:
        self.now_s, self.runs = 0.0, list[Shape]()
        self._ms, self._slow = ms_of_a_token, slow_first

    def clock(self) -> float:
        return self.now_s

    def run(self, rows: int, tokens: int) -> None:
        slow = self._slow if (rows, tokens) not in self.runs else 1.0
        self.runs.append((rows, tokens))
        self.now_s += rows * tokens * self._ms * slow / 1000


def measured(machine: Machine, wanted: list[Shape]) -> CostTable | None:
    return measure(machine.run, wanted, clock=machine.clock, wall=machine.clock)


def test_every_shape_is_run_several_times_and_the_quickest_counts() -> None:
    machine = Machine(0.1, slow_first=5)
    table = measured(machine, [(1, 8), (2, 8)])
    assert machine.runs == [*[(1, 8)] * 2, *[(2, 8)] * 2, *[(1, 8), (2, 8)] * 2]
    assert table is not None
    assert table.measured == pytest.approx({(1, 8): 0.8, (2, 8): 1.6})


def test_a_slow_model_is_measured_as_far_as_there_is_time() -> None:
    machine = Machine(2.0)
    table = measured(machine, shapes(16, 512, 4096))
    assert table is not None
    assert set(table.measured) == {(1, 8), (2, 8), (1, 32), (4, 8), (2, 32), (8, 8)}
    assert machine.now_s <= BUDGET_S


def test_a_model_that_is_slower_than_the_time_there_is_runs_no_second_shape() -> None:
    machine = Machine(1000.0)
    table = measured(machine, shapes(16, 512, 4096))
    assert machine.runs == [(1, 8)] * 2
    assert table is not None
    assert table.ms(4, 8) > 4 * table.ms(1, 8)


def test_where_others_have_the_core_the_first_batch_waits_no_longer_for_that() -> None:
    machine = Machine(0.0001)
    ticks = iter(range(100))
    measure(machine.run, shapes(16, 512, 4096), clock=machine.clock, wall=lambda: float(next(ticks)))
    assert len(machine.runs) == 2 * MOST_S


@given(st.integers(1, 40), st.integers(1, 700), st.integers(1, 5000))
def test_shapes_go_from_small_to_large_within_the_limits(records: int, longest: int, tokens: int) -> None:
    found = shapes(records, longest, tokens)
    assert found[0] == (1, min(8, longest))
    assert (1, longest) in found
    assert len(set(found)) == len(found)
    assert [rows * of for rows, of in found] == sorted(rows * of for rows, of in found)
    assert all(rows <= records and of <= longest and (rows == 1 or rows * of <= tokens) for rows, of in found)


def test_between_two_points_the_cost_lies_on_a_line() -> None:
    table = CostTable({(1, 8): 2.0, (1, 16): 4.0, (4, 8): 4.0, (4, 16): 8.0})
    assert table.ms(1, 12) == 3.0
    assert table.ms(4, 12) == pytest.approx(6.0 * 1.02)
    assert table.ms(2, 8) == pytest.approx((2 * 2.0 + 4.0) / 3 * 1.02)


def test_beyond_what_was_measured_nothing_is_gained() -> None:
    table = CostTable({(1, 8): 2.0, (4, 8): 4.0, (1, 32): 8.0})
    assert table.ms(1, 2) == 2.0
    assert table.ms(1, 64) == 16.0
    assert table.ms(6, 8) == pytest.approx((4.0 + 2 * 2.0) * 1.02)
    assert table.ms(4, 32) == pytest.approx(4 * 8.0 * 1.02)
    assert table.ms(4, 64) == pytest.approx(4 * 16.0 * 1.02)
