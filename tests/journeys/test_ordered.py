"""`order: key` over three processes: results of each key in the order of its records, whatever is killed in between.

It would prove nothing if nothing were overtaken: what waits for its turn at the moment of a kill is asserted, and that
records of one key took both ways.
"""

from __future__ import annotations

import json
import random
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tests.support.client import Seen, until
from tests.support.pipeline import Pipeline
from tests.support.worker import Worker

pytestmark = [pytest.mark.broker, pytest.mark.timeout(500)]

GROUPS = {"front": {"stages": ["ingress"], "models": ["quick"]}, "expert": {"models": ["expert"]}}
NAMES = ("front", "expert", "main")
both_guarantees = pytest.mark.parametrize("guarantee", ["at_least_once", "exactly_once"])
RECORDS, SLOW_MS, KEYS = 500, 10.0, 11
LARGE, ENOUGH, MORE = 250_000, 80, 160


def sections(**delivery: Any) -> dict[str, Any]:
    """A cascade whose second model is slow and asked for every third record or so."""
    return {
        "preprocess": ["odd"],
        "models": {"quick": {"echo": {"label": "q"}}, "expert": {"echo": {"label": "e", "ms": SLOW_MS}}},
        "route": {"cascade": {"order": ["quick", "expert"], "accept": 0.9}},
        "topics": {"partitions": 4},
        "groups": GROUPS,
        "delivery": {"order": "key", "retries": 0, **delivery},
    }


def messages(count: int) -> list[dict[str, Any]]:
    """Quick ones, slow ones, and some that end without a result: filtered, failed early, failed in the expert."""
    kinds = ["0.95 sure"] * 12 + ["0.5 unsure"] * 6 + ["filter this"] + ["0.1"] + ["json null"]
    return [
        {
            "value": json.dumps({"text": random.choice(kinds)}),
            "key": f"user{random.randrange(KEYS)}".encode(),
        }
        for _ in range(count)
    ]


def waiting(worker: Worker) -> float:
    return worker.figure("headrace_join_waiting_records")


def some_wait(egress: Worker) -> None:
    until("records that wait for their turn", lambda: waiting(egress) > 10)


def in_order(results: Sequence[Seen]) -> dict[bytes, list[int]]:
    """Return the offsets of each key's results, first copies only, and see that they ascend."""
    found: dict[bytes, list[int]] = defaultdict(list)
    for seen in results:
        offset = seen.body["source"]["offset"]
        if offset not in found[seen.key or b""]:
            found[seen.key or b""].append(offset)
    for key, offsets in found.items():
        assert offsets == sorted(offsets), key
    return found


def ids(dead: Sequence[Seen]) -> set[str]:
    names = ("topic", "partition", "offset")
    return {":".join(letter.header(f"__streams.errors.{name}") for name in names) for letter in dead}


@both_guarantees
def test_kills_of_every_group_change_nothing_in_the_order_of_a_key(pipeline: Pipeline, guarantee: str) -> None:
    pipeline.write(**sections(guarantee=guarantee))
    workers = pipeline.run_groups(*NAMES)
    published: list[str] = []
    waited = 0.0
    for victim in ("main", "expert", "front", "main", "expert", "main"):
        sent = messages(RECORDS)
        with workers["expert"].stopped():
            published += pipeline.client.publish(pipeline.input, *sent)
            some_wait(workers["main"])
        time.sleep(random.uniform(0, 0.3))
        waited += waiting(workers["main"])
        workers[victim].kill()
        workers |= pipeline.run_groups(victim)
    assert waited
    results, dead = pipeline.ended(150)
    found = in_order(results)
    assert len(found) == KEYS
    paths = {seen.key: set() for seen in results}  # type: ignore[var-annotated]
    for seen in results:
        paths[seen.key].add(tuple(seen.body["route"]["path"]))
    assert all(len(taken) == 2 for taken in paths.values()), "each key's records took both ways"
    delivered = {seen.body["id"] for seen in results}
    assert delivered | ids(dead) | _filtered(pipeline) == set(published)
    if guarantee == "exactly_once":
        assert (len(results), len(dead)) == (len(delivered), len(ids(dead)))
    assert waiting(workers["main"]) == 0
    assert [worker.terminate() for worker in workers.values()] == [0, 0, 0]


def _filtered(pipeline: Pipeline) -> set[str]:
    """Records that end without a result, as they were published."""
    sent = pipeline.client.all(pipeline.input)
    return {f"{seen.topic}:{seen.partition}:{seen.offset}" for seen in sent if b"filter" in (seen.value or b"")}


@both_guarantees
def test_ingress_waits_while_egress_holds_all_that_it_may_and_reads_on_when_that_has_left(
    pipeline: Pipeline, guarantee: str
) -> None:
    pipeline.write(**sections(guarantee=guarantee) | {"topics": {"partitions": 1}, "batch": {"max_records": 4}})
    workers = pipeline.run_groups("front", "main")
    texts = ["0.5 unsure", *(f"0.95 sure{n} {'x' * LARGE}" for n in range(ENOUGH))]
    published = [id_ for text in texts for id_ in pipeline.publish(text, key=b"ann")]
    until("egress to be full", lambda: "wait at egress" in pipeline.headrace("status", str(pipeline.file), "--json"))
    some_wait(workers["main"])
    for n in range(MORE):
        published += pipeline.publish(f"0.95 more{n} {'x' * LARGE}", key=b"ann")
    left = until("ingress to be still", lambda: _still(lambda: pipeline.lags()["ingress"]))
    assert left >= MORE, "of a partition it holds 32 MiB, and no more is read until half of it has left"
    assert pipeline.client.all(pipeline.output) == [], "the first one of the key is at the expert, which is away"
    workers |= pipeline.run_groups("expert")
    results, dead = pipeline.ended(150)
    assert [seen.body["id"] for seen in results] == published
    assert dead == []
    assert waiting(workers["main"]) == 0
    until("that to be seen", lambda: "wait at egress" not in pipeline.headrace("status", str(pipeline.file), "--json"))


def _still(ask: Callable[[], int]) -> int:
    """Return what is asked for once it is the same for two seconds; 0 until then."""
    before = ask()
    time.sleep(2)
    return before if ask() == before else 0


def test_without_it_records_overtake_and_with_it_from_then_on_they_do_not(pipeline: Pipeline) -> None:
    pipeline.write(**sections(order="path"))
    workers = pipeline.run_groups(*NAMES)
    pipeline.publish(*(f"0.5 slow{n}" if n % 10 == 0 else f"0.95 quick{n}" for n in range(200)), key=b"ann")
    results, _ = pipeline.ended()
    offsets = [seen.body["source"]["offset"] for seen in results]
    assert offsets != sorted(offsets)
    assert [worker.terminate() for worker in workers.values()] == [0, 0, 0]
    pipeline.write(**sections())
    assert "results of one key leave in the order" in pipeline.headrace("plan", str(pipeline.file))
    pipeline.run_groups(*NAMES)
    later = pipeline.publish(*(f"0.5 slow{n}" if n % 10 == 0 else f"0.95 quick{n}" for n in range(200)), key=b"ann")
    results, dead = pipeline.ended()
    assert dead == []
    assert [seen.body["id"] for seen in results if seen.body["id"] in set(later)] == later


def test_a_record_whose_end_is_lost_is_named_and_a_skip_lets_those_behind_it_go(pipeline: Pipeline) -> None:
    pipeline.write(**sections() | {"topics": {"partitions": 1}})
    workers = pipeline.run_groups("front", "main")
    texts = ["0.95 before", "0.5 lost", "0.95 after", "0.95 later"]
    published = pipeline.publish(*texts, key=b"ann")
    until("those behind it", lambda: waiting(workers["main"]) == 2)
    link = pipeline.link("expert")
    pipeline.client.delete_before(link, {0: pipeline.client.ends(link)[0][1]})
    until("its name", lambda: published[1] in pipeline.headrace("status", str(pipeline.file), "--json"))
    pipeline.headrace("skip", str(pipeline.file), "--stage", "egress", "--record", published[1])
    results = pipeline.outputs(3)
    assert [seen.body["id"] for seen in results] == [published[0], *published[2:]]
    (letter,) = pipeline.dead_letters(1)
    assert (letter.header("headrace.code"), letter.body["text"]) == ("HR523", "0.5 lost")
    until("nothing waits", lambda: waiting(workers["main"]) == 0)
