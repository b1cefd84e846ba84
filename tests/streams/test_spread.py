"""Which partition of a link is chosen when records may go to any."""

from __future__ import annotations

from pathlib import Path

from headrace.streams.access.connection import Connection
from headrace.streams.spread import Spread
from tests.support.planned import compiled

TOPIC = "reviews.link.expert.1"


def spread(folder: Path, **lags: int) -> Spread:
    made = Spread(Connection("nowhere:9092"), compiled(folder))
    if lags:
        made._lags = {TOPIC: {int(name[1:]): lag for name, lag in lags.items()}}
    return made


def test_until_the_lags_are_known_records_keep_their_partition(tmp_path: Path) -> None:
    assert spread(tmp_path).choose(TOPIC, 3) == 3
    assert spread(tmp_path, p0=1).choose("another", 3) == 3


def test_the_least_lagged_is_chosen_and_what_is_sent_there_counts(tmp_path: Path) -> None:
    made = spread(tmp_path, p0=5, p1=0, p2=2)
    assert [made.choose(TOPIC, 0) for _ in range(5)] == [1, 1, 1, 2, 1]


def test_of_equals_its_own_partition_comes_first_and_then_the_next(tmp_path: Path) -> None:
    made = spread(tmp_path, p0=0, p1=0, p2=0)
    assert [made.choose(TOPIC, 2) for _ in range(4)] == [2, 0, 1, 2]
