"""Several models asked at once, over several processes: as in one, whatever is killed, and never without an end.

It would prove nothing if no record ever waited: what waits at the moment of a kill is asserted.
"""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from tests.journeys.conftest import MakePipeline, ending
from tests.support.client import Seen, until
from tests.support.pipeline import Pipeline
from tests.support.worker import Worker

pytestmark = [pytest.mark.broker, pytest.mark.timeout(400)]

APART = {"front": {"stages": ["ingress"], "models": ["a", "c"]}, "b": {"models": ["b"]}}
GROUPS = ("front", "b", "main")
both_guarantees = pytest.mark.parametrize("guarantee", ["at_least_once", "exactly_once"])
KILLS, RECORDS, BATCH, SLOW_MS = 4, 3_000, 64, 4.0
KEPT = ("id", "plan", "key", "status", "reason", "output", "model", "version", "assigned_model", "route", "attempt")


def sections(pipeline: Pipeline, *, ms: float = 0, route: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """A vote of three, of which one always says calm."""
    return {
        "models": {"a": "echo", "b": {"echo": {"ms": ms}}, "c": {"echo": {"label": "calm"}}},
        "route": {"parallel": {"models": ["a", "b", "c"], "join": "vote", **(route or {})}},
        "topics": {"partitions": 4},
        "delivery": {"retries": 0},
        **more,
    }


def messages(count: int) -> list[dict[str, Any]]:
    """Records of seven keys; every tenth fails in two of the models, every fiftieth in all."""
    texts = [f"0.{at % 9 + 1} mood{at % 5}" for at in range(count)]
    texts[::50] = ["json null"] * len(texts[::50])
    return [{"value": json.dumps({"text": text}), "key": f"user{at % 7}".encode()} for at, text in enumerate(texts)]


def told(seen: Seen) -> str:
    """What of a result must not depend on processes."""
    return json.dumps({name: seen.body[name] for name in KEPT}, sort_keys=True)


def by_id(results: Sequence[Seen]) -> dict[str, set[str]]:
    """What is told of each record; more than one thing is told of a record whose copies differ."""
    found: dict[str, set[str]] = {}
    for seen in results:
        found.setdefault(seen.body["id"], set()).add(told(seen))
    return found


def why(dead: Sequence[Seen]) -> list[tuple[str, ...]]:
    names = ("headrace.code", "headrace.stage", "__streams.errors.message", "__streams.errors.offset")
    return sorted(tuple(letter.header(name) for name in names) for letter in dead)


@pytest.fixture(scope="module")
def both(make_pipeline: MakePipeline) -> Iterator[tuple[Any, Any, Pipeline]]:
    """Results and dead letters of one input, fused and then split, by reading it again from its beginning."""
    with ending(make_pipeline("joined")) as pipeline:
        pipeline.write(**sections(pipeline))
        worker = pipeline.run()
        published = pipeline.client.publish(pipeline.input, *messages(300))
        fused = pipeline.ended()
        assert worker.terminate() == 0
        pipeline.client.commit(pipeline.group, pipeline.input, dict.fromkeys(range(4), 0))
        pipeline.write(**sections(pipeline), groups=APART)
        pipeline.run_groups(*GROUPS)
        results, dead = pipeline.ended()
        assert len(published) == 300
        yield fused, (_rest(results, fused[0]), _rest(dead, fused[1])), pipeline


def _rest(seen: list[Seen], before: list[Seen]) -> list[Seen]:
    """What came after."""
    known = {one.position for one in before}
    return [one for one in seen if one.position not in known]


def test_fused_and_split_give_the_same_ends_record_by_record(both: tuple[Any, Any, Pipeline]) -> None:
    (fused, fused_dead), (split, split_dead), _ = both
    assert len(fused) == 294
    assert sorted(map(told, split)) == sorted(map(told, fused))
    assert {letter.header("headrace.code") for letter in fused_dead} == {"HR530"}
    assert why(split_dead) == why(fused_dead)
    assert {letter.value for letter in split_dead} == {b'{"text": "json null"}'}


def test_the_answers_came_over_the_link_and_nothing_waits_in_the_end(both: tuple[Any, Any, Pipeline]) -> None:
    _, _, pipeline = both
    assert pipeline.links() == ["b", "egress"]
    state = f"{pipeline.name}.state.egress"
    assert pipeline.client.config(state)["cleanup.policy"] == "compact"
    kept = {seen.key: seen.value for seen in pipeline.client.all(state) if seen.key is not None}
    assert [key for key, value in kept.items() if value is not None and key.count(b":") == 2] == []
    main = pipeline.workers[-1]
    assert main.figure("headrace_join_waiting_records") == 0


def waiting(worker: Worker) -> float:
    return worker.figure("headrace_join_waiting_records")


def kept_by(worker: Worker) -> int:
    """How many records waited when a worker began, as it says."""
    found = [re.search(r"(\d+) records wait for more answers", line) for line in worker.lines]
    return sum(int(match[1]) for match in found if match)


def kill_under_load(pipeline: Pipeline, workers: dict[str, Worker], victim: str, count: int) -> list[str]:
    """Publish, and kill a worker some batches after answers began to wait, with more to come."""
    with workers["b"].stopped():
        published = pipeline.client.publish(pipeline.input, *messages(count))
        until("answers that wait", lambda: waiting(workers["main"]) > 20)
    time.sleep(random.uniform(1, 3) * BATCH * SLOW_MS / 1000)
    with workers["b"].stopped():
        workers[victim].kill()
        assert pipeline.client.lag(f"{pipeline.name}.b", pipeline.link("b")) > 0
    assert workers[victim].process.returncode == -9
    return published


@both_guarantees
@pytest.mark.parametrize("victim", ["main", "b"])
def test_a_kill_while_answers_wait_loses_none_and_changes_no_result(
    pipeline: Pipeline, victim: str, guarantee: str
) -> None:
    said = sections(pipeline, ms=SLOW_MS, groups=APART)
    pipeline.write(**{**said, "delivery": {"retries": 0, "guarantee": guarantee}})
    workers = pipeline.run_groups(*GROUPS)
    published: list[str] = []
    restored = 0
    for _ in range(KILLS):
        published += kill_under_load(pipeline, workers, victim, RECORDS // KILLS)
        workers |= pipeline.run_groups(victim)
        restored += kept_by(workers["main"])
    assert restored or victim != "main"
    results, dead = pipeline.ended(120)
    found = by_id(results)
    buried = {
        ":".join(letter.header(f"__streams.errors.{name}") for name in ("topic", "partition", "offset"))
        for letter in dead
    }
    assert len(buried) == RECORDS // 50
    assert {*found, *buried} == set(published)
    assert all(len(copies) == 1 for copies in found.values()), "every copy is the same"
    for copies in found.values():
        (one,) = copies
        assert json.loads(one)["route"]["path"] == ["a", "b", "c"]
    if guarantee == "exactly_once":
        assert (len(results), len(dead)) == (len(found), len(buried))
    assert waiting(workers["main"]) == 0


def test_an_egress_that_was_down_comes_to_the_results_of_one_that_was_not(pipeline: Pipeline) -> None:
    pipeline.write(**sections(pipeline, route={"deadline": "5s"}, groups=APART))
    workers = pipeline.run_groups(*GROUPS)
    workers["main"].kill()
    positions = pipeline.publish(*(f"0.5 text{at}" for at in range(50)))
    until("all answers on the link", lambda: not any(pipeline.lags()[stage] for stage in ("ingress", "b")))
    ends = pipeline.client.ends(pipeline.link("egress"))
    assert sum(end - first for first, end in ends.values())
    until("a time that is past the deadline", lambda: _age_s(pipeline) > 5.5)
    pipeline.run_groups("main")
    results, dead = pipeline.ended()
    assert not dead
    assert {seen.body["id"] for seen in results} == set(positions)
    assert all(seen.body["route"]["path"] == ["a", "b", "c"] for seen in results)


def _age_s(pipeline: Pipeline) -> float:
    last = max(seen.timestamp_ms for seen in pipeline.client.all(pipeline.link("egress")))
    return time.time() - last / 1000


@both_guarantees
def test_a_deadline_ends_the_wait_for_a_model_that_is_away(pipeline: Pipeline, guarantee: str) -> None:
    delivery = {"retries": 0, "guarantee": guarantee}
    pipeline.write(**{**sections(pipeline, route={"deadline": "3s"}, groups=APART), "delivery": delivery})
    workers = pipeline.run_groups("front", "main")
    positions = pipeline.publish(*(f"0.5 text{at}" for at in range(50)))
    results = pipeline.outputs(50)
    assert {seen.body["id"] for seen in results} == set(positions)
    assert {seen.body["route"]["reason"] for seen in results if seen.body["model"] == "a"} <= {
        f"1 of 2 said 'text{at}'; b did not answer within 3000 ms" for at in range(50)
    }
    workers |= pipeline.run_groups("b")
    until("late answers", lambda: workers["main"].figure("headrace_late_answers_total") >= 50)
    results, dead = pipeline.ended()
    assert (len(results), dead) == (50, [])


def test_what_waits_for_a_model_that_is_away_is_bounded_and_joined_once_it_is_back(pipeline: Pipeline) -> None:
    """Frames of so many records make 16 of them the most: the least that is let through."""
    pipeline.write(**sections(pipeline, groups=APART, topics={"partitions": 1}, batch={"max_records": 10_000}))
    workers = pipeline.run_groups("front", "main")
    front, positions = workers["front"], list[str]()
    while not [line for line in front.lines if "reading waits for the model b" in line]:
        positions += pipeline.publish("0.5 text")
        assert len(positions) < 2_000

    def let_through() -> int:
        """How many records wait at egress, when those are all that ingress has read."""
        read = pipeline.client.committed(pipeline.group, pipeline.input)[0]
        return read if waiting(workers["main"]) == read else 0

    kept = until("what it has let through", let_through)
    positions += [id_ for _ in range(50) for id_ in pipeline.publish("0.5 text")]
    assert pipeline.client.committed(pipeline.group, pipeline.input)[0] == kept
    assert pipeline.client.lag(pipeline.group, pipeline.input) >= 50
    assert front.get("readyz")[0] == 200, "nothing is wrong with it"
    pipeline.run_groups("b")
    results, dead = pipeline.ended()
    assert not dead
    assert sorted(seen.body["id"] for seen in results) == sorted(positions)
    assert {tuple(seen.body["route"]["path"]) for seen in results} == {("a", "b", "c")}


def test_what_waits_is_joined_when_the_file_is_regrouped_into_one_process(pipeline: Pipeline) -> None:
    pipeline.write(**sections(pipeline, groups=APART))
    workers = pipeline.run_groups("front", "main")
    positions = pipeline.publish(*(f"0.5 text{at}" for at in range(50)))
    until("answers that wait", lambda: waiting(workers["main"]) == 50)
    told = json.loads(pipeline.headrace("status", str(pipeline.file), "--json"))
    until("a sign of life", lambda: _waiting_told(pipeline) == 50)
    assert told["pipeline"] == pipeline.name
    assert [worker.terminate() for worker in workers.values()] == [0, 0]
    assert pipeline.client.all(pipeline.output) == []
    pipeline.write(**sections(pipeline))
    worker = pipeline.run()
    after = pipeline.publish(*(f"0.5 more{at}" for at in range(50)))
    results, dead = pipeline.ended()
    assert not dead
    assert sorted(seen.body["id"] for seen in results) == sorted([*positions, *after])
    assert {tuple(seen.body["route"]["path"]) for seen in results} == {("a", "b", "c")}
    assert worker.terminate() == 0


def _waiting_told(pipeline: Pipeline) -> int:
    told = json.loads(pipeline.headrace("status", str(pipeline.file), "--json"))
    return sum(worker["waiting"] for worker in told["workers"])
