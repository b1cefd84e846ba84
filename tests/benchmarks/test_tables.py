"""Ratios, bars and void runs of the tables that set a pipeline beside other engines."""

from __future__ import annotations

import pytest

from benchmarks import ffnn, layers, minilm
from benchmarks.bench import Rate
from benchmarks.figures import Table


def rates(*cpu: float) -> list[Rate]:
    return [Rate(1.0, value) for value in cpu]


def of_minilm(**changed: list[Rate]) -> Table:
    seen = {
        minilm.ALONE: rates(98, 98, 98),
        minilm.SORTED: rates(112, 112, 112),
        minilm.STREAMS: rates(100, 100, 100),
        minilm.OURS: rates(108, 108, 108),
        minilm.OURS_ONCE: rates(104, 104, 104),
    }
    return minilm.table(seen | {getattr(minilm, name): value for name, value in changed.items()})


def missed(table: Table) -> list[str]:
    return [bar.name for bar in table.bars if not bar.is_met]


def test_a_pipeline_as_fast_as_asked_meets_every_bar() -> None:
    assert missed(of_minilm()) == []


def test_each_guarantee_has_bars_of_its_own() -> None:
    assert missed(of_minilm(OURS=rates(104, 104, 104))) == [
        "MiniLM pipeline / bare loop, at least once",
        "MiniLM pipeline / Kafka Streams, at least once",
    ]
    assert missed(of_minilm(OURS_ONCE=rates(99, 99, 99))) == [
        "MiniLM pipeline / bare loop, exactly once",
        "MiniLM pipeline exactly once / Kafka Streams",
    ]


@pytest.mark.parametrize("bare", [104, 122])
def test_a_bare_loop_that_is_too_slow_or_too_fast_beside_kafka_streams_makes_the_run_void(bare: float) -> None:
    ours = rates(*[max(bare, 106)] * 3)  # which meets its own bars
    table = of_minilm(SORTED=rates(bare, bare, bare), OURS=ours, OURS_ONCE=ours)
    assert missed(table) == ["bare loop / Kafka Streams"]
    assert "VOID" in table.markdown()


def test_the_bare_loop_is_the_better_of_both_ways_in_each_run() -> None:
    assert minilm.better(rates(3, 1, 2), rates(2, 4, 2)) == rates(3, 4, 2)
    row = of_minilm(ALONE=rates(98, 120, 98)).rows[0]
    assert row[3] == "0.875 (0.875-1.000)"


def test_numbers_are_compared_run_by_run_with_every_engine() -> None:
    names = (ffnn.LOOP, ffnn.STREAMS, ffnn.QUIX, ffnn.BYTEWAX, ffnn.OURS, ffnn.OURS_ONCE)
    seen = {name: rates(100, 200) for name in names} | {ffnn.STREAMS: rates(200, 200), ffnn.OURS: rates(100, 300)}
    table = ffnn.table("raw", seen)
    assert [row[-1] for row in table.rows if row[0] == ffnn.STREAMS] == ["1.00 (0.50-1.50)"]
    assert missed(table) == []
    slower = ffnn.table("raw", seen | {ffnn.BYTEWAX: rates(200, 400)})
    assert missed(slower) == ["FFNN raw pipeline / Bytewax"]


def test_the_gain_of_runs_is_that_of_each_repetition() -> None:
    seen = {"1": {"mb": [7.6], "one": [1.0, 2.0, 3.0], "eight": [1.0, 1.0, 1.0]}}
    assert layers.table(seen).rows == [("1", "8", "2.00 (1.00-3.00)", "1.00 (1.00-1.00)", "2.00 (1.00-3.00)")]
