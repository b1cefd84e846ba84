"""When ingress waits for models that a join waits for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from headrace.core.catalog import installed_catalog
from headrace.core.plan.plan import Plan
from headrace.streams.access.connection import Connection
from headrace.streams.ahead import Ahead, Brake, awaited
from tests.support.planned import planned

PARALLEL = {"models": ["a", "b"], "join": "vote"}
APART = {"b": {"models": ["b"]}}


def plan(folder: Path, route: Mapping[str, Any], groups: Mapping[str, Any], **more: Any) -> Plan:
    models = {"a": "lexicon", "b": "lexicon", "c": "lexicon"}
    return planned(folder, installed_catalog(), models=models, route=route, groups=groups, **more)


def models(folder: Path, route: Mapping[str, Any], groups: Mapping[str, Any]) -> list[str]:
    return [stage.name for stage in awaited(plan(folder, route, groups))]


def test_models_of_other_processes_are_awaited_where_a_join_has_no_deadline(tmp_path: Path) -> None:
    assert models(tmp_path, {"parallel": PARALLEL}, APART) == ["b"]


@pytest.mark.parametrize(
    ("route", "groups"),
    [
        ({"parallel": {**PARALLEL, "deadline": "2s"}}, APART),
        ({"parallel": PARALLEL}, {}),
        ({"cascade": {"order": ["a", "b"], "accept": 0.5}}, APART),
    ],
    ids=["a deadline", "one process", "no join"],
)
def test_nothing_else_makes_ingress_wait(tmp_path: Path, route: dict[str, Any], groups: dict[str, Any]) -> None:
    assert models(tmp_path, route, groups) == []


def test_a_model_outside_the_join_is_not_awaited(tmp_path: Path) -> None:
    assert models(tmp_path, {"parallel": PARALLEL}, {**APART, "c": {"models": ["c"]}}) == ["b"]


@pytest.mark.parametrize(
    ("lags", "held"),
    [
        ([100], [False]),
        ([101], [True]),
        ([101, 51, 50, 100], [True, True, False, False]),
        ([0, 101, 101], [False, True, True]),
    ],
)
def test_it_holds_above_the_most_and_lets_go_at_half_of_it(lags: Sequence[int], held: Sequence[bool]) -> None:
    brake, seen = Brake(100), [False]
    for lag, expected in zip(lags, held, strict=True):
        assert brake.look(lag) == (expected != seen[-1])
        seen.append(brake.holds)
    assert seen[1:] == [*held]


@pytest.mark.parametrize(("records", "frames"), [(64, 781), (1, 50_000), (10_000, 16)])
def test_larger_frames_make_it_hold_earlier(tmp_path: Path, records: int, frames: int) -> None:
    brake = Brake.of(plan(tmp_path, {"parallel": PARALLEL}, APART, batch={"max_records": records}))
    brake.look(frames)
    assert not brake.holds
    brake.look(frames + 1)
    assert brake.holds


async def test_a_model_that_is_stopped_is_not_waited_for(tmp_path: Path) -> None:
    stopped: set[str] = set()
    ahead = Ahead(Connection("localhost:9092"), plan(tmp_path, {"parallel": PARALLEL}, APART), lambda: stopped)
    ahead.note({"reviews.link.b": 1_000})
    assert ahead.holds
    stopped.add("b")
    ahead.note({"reviews.link.b": 1_000})
    assert not ahead.holds
    await ahead.close()
