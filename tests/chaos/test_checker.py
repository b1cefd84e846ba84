"""The checker finds each kind of fault, planted one at a time into a run that is otherwise right, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from operator import eq
from typing import Any

import pytest

from tests.chaos.checker import judge
from tests.chaos.ends import Due, Ends
from tests.chaos.finding import ALTERED, DISORDERED, DOUBLED, LOST, MISJUDGED, UNASKED
from tests.chaos.order import Scope
from tests.support.client import Seen

NOON_MS = 1_795_435_200_000
HEADERS = (("note", b"kept"),)


def due(number: int, **fields: Any) -> Due:
    value = json.dumps({"body": f"text {number}", "user": "ann"}).encode()
    given = {"key": b"ann", "value": value, "headers": HEADERS, "timestamp_ms": NOON_MS, **fields}
    return Due(str(number), "in", 0, number, **given)


POISON = 3
DUE = [due(at) if at != POISON else due(at, code="HR501", stage="ingress") for at in range(6)]


def result(number: int, *, pipeline: str, offset: int, topic: str = "out", score: float = 0.9, **more: Any) -> Seen:
    body = {
        "id": f"in:0:{number}",
        "source": {"topic": "in", "partition": 0, "offset": number},
        "pipeline": pipeline,
        "plan": pipeline,
        "key": "ann",
        "unit": "ann",
        "time": f"now, in {pipeline}",
        "output": {"label": "negative", "score": score},
        "route": {"path": ["quick"]},
        "experiments": [{"id": "first", "phase": 1, "variant": "control"}],
        "timings": {"total": offset},
        "attempt": offset,
        **more,
    }
    headers = (("ce_id", f"{pipeline} {topic} {number}".encode()), *HEADERS)
    return Seen(topic, 0, offset, b"ann", json.dumps(body).encode(), headers, NOON_MS + offset)


def letter(of: Due, *, code: str = "HR501", stage: str = "ingress", offset: int = 0, **changed: Any) -> Seen:
    reasons = {
        "__streams.errors.topic": of.topic,
        "__streams.errors.partition": str(of.partition),
        "__streams.errors.offset": str(of.offset),
        "headrace.code": code,
        "headrace.stage": stage,
    }
    headers = (*of.headers, *((name, text.encode()) for name, text in reasons.items()))
    whole = Seen("dead", 0, offset, of.key, of.value, headers, of.timestamp_ms)
    return whole._replace(**changed)


def exposure(pipeline: str, variant: str = "control", unit: str = "ann") -> Seen:
    body = {"unit": unit, "experiment": "first", "phase": 1, "variant": variant, "id": "in:0:0"}
    headers = (("ce_id", f"{unit} {variant}".encode()),)
    return Seen("exposures", 0, 0, unit.encode(), json.dumps(body).encode(), headers, NOON_MS)


def results(pipeline: str, numbers: Sequence[int], topic: str = "out", **more: Any) -> list[Seen]:
    return [result(at, pipeline=pipeline, topic=topic, offset=place, **more) for place, at in enumerate(numbers)]


GOOD = [one.offset for one in DUE if not one.code]
CALM = Ends("calm", {"out": results("calm", GOOD), "alerts": results("calm", [1], "alerts")}, [], [exposure("calm")])


def stormy(**changed: Any) -> Ends:
    outputs = {"out": results("storm", GOOD), "alerts": results("storm", [1], "alerts")}
    outputs |= {role: changed.pop(role) for role in ("out", "alerts") if role in changed}
    return Ends("storm", outputs, [letter(DUE[POISON])], [exposure("storm")])._replace(**changed)


def kinds(ends: Ends, scope: Scope = Scope.PATH, calm: Ends = CALM) -> list[tuple[str, str]]:
    return [(found.kind, found.id) for found in judge(DUE, ends, calm, scope)]


def test_a_run_that_is_right_is_right() -> None:
    for scope in Scope:
        assert kinds(stormy(), scope) == []


PLANTED: dict[str, tuple[Callable[[], Ends], list[tuple[str, str]]]] = {
    "a lost result": (lambda: stormy(out=results("storm", [0, 1, 2, 4])), [(LOST, "in:0:5")]),
    "a result lost on one output": (lambda: stormy(alerts=[]), [(LOST, "in:0:1")]),
    "a lost dead letter": (lambda: stormy(dead=[]), [(LOST, "in:0:3")]),
    "a lost exposure": (lambda: stormy(exposures=[]), [(LOST, "ann")]),
    "a doubled result": (lambda: stormy(out=results("storm", [0, 1, 2, 1, 4, 5])), [(DOUBLED, "in:0:1")]),
    "a doubled dead letter": (lambda: stormy(dead=[letter(DUE[POISON])] * 2), [(DOUBLED, "in:0:3")]),
    "a record doubled everywhere": (
        lambda: stormy(out=results("storm", [*GOOD, 1]), alerts=results("storm", [1, 1], "alerts")),
        [(DOUBLED, "in:0:1")],
    ),
    "another score": (
        lambda: stormy(alerts=results("storm", [1], "alerts", score=0.90002)),
        [(ALTERED, "in:0:1")],
    ),
    "another field": (lambda: stormy(alerts=results("storm", [1], "alerts", extra=None)), [(ALTERED, "in:0:1")]),
    "another variant": (
        lambda: stormy(alerts=results("storm", [1], "alerts", experiments=[])),
        [(ALTERED, "in:0:1")],
    ),
    "another key": (
        lambda: stormy(alerts=[one._replace(key=b"bob") for one in results("storm", [1], "alerts")]),
        [(ALTERED, "in:0:1")],
    ),
    "a header that is gone": (
        lambda: stormy(alerts=[one._replace(headers=one.headers[:1]) for one in results("storm", [1], "alerts")]),
        [(ALTERED, "in:0:1")],
    ),
    "a ce_id of another": (
        lambda: stormy(
            out=[
                one._replace(headers=(("ce_id", b"same"), *HEADERS)) if one.offset < 2 else one
                for one in results("storm", GOOD)
            ]
        ),
        [(ALTERED, "in:0:1")],
    ),
    "two plans": (
        lambda: stormy(
            out=[*results("storm", GOOD[:-1]), *results("storm", GOOD[-1:], plan="other")],
        ),
        [(ALTERED, "out")],
    ),
    "a dead letter with another value": (
        lambda: stormy(dead=[letter(DUE[POISON], value=b"{}")]),
        [(ALTERED, "in:0:3")],
    ),
    "a dead letter with another timestamp": (
        lambda: stormy(dead=[letter(DUE[POISON], timestamp_ms=0)]),
        [(ALTERED, "in:0:3")],
    ),
    "a good record in dead letters, too": (
        lambda: stormy(dead=[letter(DUE[POISON]), letter(DUE[1])]),
        [(MISJUDGED, "in:0:1")],
    ),
    "a dead letter for another reason": (
        lambda: stormy(dead=[letter(DUE[POISON], code="HR510")]),
        [(MISJUDGED, "in:0:3")],
    ),
    "a dead letter of another stage": (
        lambda: stormy(dead=[letter(DUE[POISON], stage="egress")]),
        [(MISJUDGED, "in:0:3")],
    ),
    "a later record first": (
        lambda: stormy(out=results("storm", [0, 2, 1, 4, 5])),
        [(DISORDERED, "in:0:1")],
    ),
    "a result of a record that nobody sent": (
        lambda: stormy(out=results("storm", [*GOOD, 77])),
        [(UNASKED, "in:0:77")],
    ),
    "a result where none is due": (
        lambda: stormy(alerts=results("storm", [1, 2], "alerts")),
        [(UNASKED, "in:0:2")],
    ),
    "a result of a poisoned record": (
        lambda: stormy(out=results("storm", [0, 1, 2, 3, 4, 5])),
        [(UNASKED, "in:0:3")],
    ),
    "an exposure that never was": (
        lambda: stormy(exposures=[exposure("storm"), exposure("storm", "treatment")]),
        [(UNASKED, "ann")],
    ),
}


@pytest.mark.parametrize("plant", PLANTED)
def test_a_planted_fault_is_found_and_nothing_else(plant: str) -> None:
    make, expected = PLANTED[plant]
    assert kinds(make()) == expected


def test_a_late_copy_is_no_disorder() -> None:
    assert kinds(stormy(out=results("storm", [0, 1, 2, 4, 0, 5]))) == [(DOUBLED, "in:0:0")]


def test_records_of_other_paths_may_overtake_unless_the_order_is_by_key() -> None:
    quick, slow = ({"path": ["quick"]}, {"path": ["quick", "expert"]})
    calm, storm = (
        [result(at, pipeline=name, offset=place, route=slow if at == 1 else quick) for place, at in enumerate(order)]
        for name, order in (("calm", GOOD), ("storm", [0, 2, 1, 4, 5]))
    )
    expected = CALM._replace(outputs={**CALM.outputs, "out": calm})
    assert kinds(stormy(out=storm), Scope.PATH, expected) == []
    assert kinds(stormy(out=storm), Scope.KEY, expected) == [(DISORDERED, "in:0:1")]
    assert kinds(stormy(out=storm), Scope.PARTITION, expected) == [(DISORDERED, "in:0:1")]


def test_a_run_without_faults_that_lacks_a_result_is_no_measure() -> None:
    poor = CALM._replace(outputs={**CALM.outputs, "out": results("calm", GOOD[:-1])})
    assert (LOST, "in:0:5") in kinds(stormy(), calm=poor)


def test_copies_of_a_doubled_record_are_counted() -> None:
    (found,) = judge(DUE, stormy(out=results("storm", [0, 1, 1, 2, 1, 4, 5])), CALM, Scope.PATH)
    assert (found.kind, found.copies) == (DOUBLED, 2)


def test_a_record_that_waited_aside_may_be_overtaken_and_no_other() -> None:
    storm = stormy(out=results("storm", [0, 2, 1, 4, 5]))
    for waiting, found in ((1, []), (2, []), (4, [(DISORDERED, "in:0:1")])):
        judged = judge(DUE, storm, CALM, Scope.PARTITION, partial(eq, waiting))
        assert [(one.kind, one.id) for one in judged] == found
