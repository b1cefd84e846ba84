"""Exactly once on a Kafka with rules: joins, second workers and redrives by no more than `plan --acls` prints.

Every right that the guarantee adds is left out once: the worker that lacks it has to end with the rule that it needs.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.client import Seen, until
from tests.support.pipeline import Pipeline
from tests.support.secured import Rule, Secured, rules_of, user_of
from tests.support.site_folder import headrace
from tests.support.worker import PLUGINS, Worker

pytestmark = [pytest.mark.broker, pytest.mark.timeout(300)]

GROUPS = ("front", "b", "main")


class Crew:
    """The workers of a pipeline that joins the answers of two processes; each group has a user of its own."""

    def __init__(self, pipeline: Pipeline, secured: Secured, *without: Rule) -> None:
        pipeline.write(
            broker=None,
            input={"topic": pipeline.input, "text": "text", "unit": "text"},
            preprocess=["fault"],
            models={"a": "echo", "b": "echo"},
            route={"parallel": {"models": ["a", "b"], "join": "vote"}},
            experiments={"one": {"variants": {"control": {}, "treatment": {}}}},
            groups={"front": {"stages": ["ingress"], "models": ["a"]}, "b": {"models": ["b"]}},
            topics={"partitions": 2},
            delivery={"guarantee": "exactly_once", "retries": 1},
        )
        self._pipeline, self._secured = pipeline, secured
        self.rules = rules_of(pipeline, secured)
        secured.allow(rule for some in self.rules.values() for rule in some if rule not in without)

    def start(self, group: str, name: str = "w1") -> Worker:
        """Start one more worker of a group under the group's user; it is not ready yet."""
        variables = self._secured.variables(self.user(group))
        return self._pipeline.start("--group", group, "--worker", name, **variables)

    def user(self, group: str) -> str:
        """The user of a group."""
        return user_of(self.rules[f"group {group}"])


def dues(pipeline: Pipeline, count: int) -> list[str]:
    """Publish records of both partitions, and return their ids."""
    values: list[Any] = [{"value": json.dumps({"text": f"mood {at}"}), "partition": at % 2} for at in range(count)]
    return pipeline.client.publish(pipeline.input, *values)


def ids(seen: list[Seen]) -> list[str]:
    return sorted(one.body["id"] for one in seen)


def test_a_join_runs_exactly_once_with_just_the_rights_that_the_plan_prints(
    guarded: Pipeline, secured: Secured, monkeypatch: pytest.MonkeyPatch
) -> None:
    crew = Crew(guarded, secured)
    for worker in [crew.start(group, name) for group in GROUPS for name in ("w1", "w2")]:
        worker.ready()
    published = dues(guarded, 200)
    results, _ = guarded.ended()
    assert ids(results) == sorted(published)
    (mended,) = guarded.publish("flaky 2")
    guarded.dead_letters(1)
    for name, value in secured.variables(user_of(crew.rules["operators"])).items():
        monkeypatch.setenv(name, value)
    guarded.headrace("dlq", "redrive", str(guarded.file), "--yes")
    rival = crew.start("main")  # a second one of this name
    rivals = (guarded.workers[GROUPS.index("main") * 2], rival)
    until("an end of the fight", lambda: any(one.process.poll() is not None for one in rivals), patience_s=90)
    (loser,) = [one for one in rivals if one.process.poll() is not None]
    assert (loser.process.returncode, loser.events[-1]["code"]) == (1, "HR216")
    published += dues(guarded, 200)
    results, _ = guarded.ended()
    assert ids(results) == sorted([*published, mended])
    assert {tuple(seen.body["route"]["path"]) for seen in results} == {("a", "b")}
    assert guarded.client.all(f"{guarded.name}.exposures")
    assert guarded.client.all(f"{guarded.name}.state.egress"), "or nothing ever waited"
    alive = [worker for worker in guarded.workers if worker is not loser]
    for worker in guarded.workers:
        assert not [line for line in worker.warnings if "uthoriz" in line or "denie" in line]
    assert [worker.terminate() for worker in alive] == [0] * 6


class Missing(NamedTuple):
    """A rule that is left out, whose it is, and what its worker then says before it has read a record."""

    group: str
    resource: str
    name: str
    operation: str
    words: str


MISSING = [
    Missing("front", "TRANSACTIONAL_ID", "{p}.ingress.", "WRITE", "Write on transactional id '{p}.ingress."),
    Missing("b", "TRANSACTIONAL_ID", "{p}.b.", "WRITE", "Write on transactional id '{p}.b."),
    Missing("main", "TRANSACTIONAL_ID", "{p}.egress.", "WRITE", "Write on transactional id '{p}.egress."),
    Missing("front", "TOPIC", "{p}.link.b", "WRITE", "Write on topic '{p}.link.b'"),
    Missing("front", "TOPIC", "{p}.exposures", "WRITE", "Write on topic '{p}.exposures'"),
    Missing("b", "TOPIC", "{p}.link.b", "READ", "Read on topic '{p}.link.b'"),
    Missing("b", "TOPIC", "{p}.link.egress", "WRITE", "Write on topic '{p}.link.egress'"),
    Missing("b", "GROUP", "{p}.b", "READ", "Read on group '{p}.b'"),
    Missing("main", "TOPIC", "{p}.state.egress", "WRITE", "Write on topic '{p}.state.egress'"),
    Missing("main", "TOPIC", "{p}.state.egress", "READ", "Read on topic '{p}.state.egress'"),
    Missing("main", "TOPIC", "{p}.dead", "WRITE", "Write on topic '{p}.dead'"),
]


@pytest.mark.provokes("HR243")
@pytest.mark.parametrize("case", MISSING, ids=lambda case: f"{case.operation} {case.resource} {case.name}")
def test_a_right_that_exactly_once_needs_and_lacks_ends_the_worker_with_the_rule(
    guarded: Pipeline, secured: Secured, case: Missing
) -> None:
    user = f"{guarded.name}-{case.group}"
    pattern = "PREFIXED" if case.name.endswith(".") else "LITERAL"
    rule = Rule(f"User:{user}", case.resource, case.name.format(p=guarded.name), pattern, case.operation)
    crew = Crew(guarded, secured, rule)
    assert rule in crew.rules[f"group {case.group}"]
    worker = crew.start(case.group)
    assert worker.end(60) == 1
    last = worker.events[-1]
    assert last["code"] == "HR243"
    words = f"denies User:{user} {case.words.format(p=guarded.name)}"
    assert words in last["message"], last["message"]
    assert not [line for line in worker.lines if "Traceback" in line]


REDRIVES = [
    ("TRANSACTIONAL_ID", "{p}.redrive", "WRITE", "Write on transactional id '{p}.redrive'"),
    ("TOPIC", "{p}.redriven", "WRITE", "Write on topic '{p}.redriven'"),
    ("TOPIC", "{p}.redriven", "READ", "Read on topic '{p}.redriven'"),
    ("TOPIC", "{p}", "WRITE", "Write on topic '{p}'"),
    ("TOPIC", "{p}.dead", "READ", "Read on topic '{p}.dead'"),
]


@pytest.mark.provokes("HR243")
def test_a_redrive_without_a_right_names_it_and_publishes_nothing(guarded: Pipeline, secured: Secured) -> None:
    guarded.write(broker=None, preprocess=["fault"], delivery={"retries": 0})
    rules = rules_of(guarded, secured)
    secured.allow(rule for some in rules.values() for rule in some)
    guarded.run(**secured.variables(user_of(rules["group main"])))
    guarded.publish("raise")
    guarded.dead_letters(1)
    for at, (resource, name, operation, words) in enumerate(REDRIVES):
        user, missing = f"{guarded.name}-half{at}", (resource, name.format(p=guarded.name), operation)
        secured.add_user(user)
        secured.allow(
            rule._replace(principal=f"User:{user}")
            for rule in rules["operators"]
            if (rule.resource, rule.name, rule.operation) != missing
        )
        done = headrace(PLUGINS, "dlq", "redrive", guarded.file, "--yes", environment=secured.variables(user))
        assert done.returncode == 1, (missing, done.stdout)
        assert f"HR243 the broker denies User:{user} {words.format(p=guarded.name)}" in done.stderr
        assert "Traceback" not in done.stderr
    assert len(guarded.client.all(guarded.input)) == 1


@pytest.mark.provokes("HR243")
def test_records_wait_aside_and_are_deleted_there_with_just_the_rights_that_the_plan_prints(
    guarded: Pipeline, secured: Secured, tmp_path: Path
) -> None:
    back, aside = tmp_path / "back", f"{guarded.name}.retry.ingress"
    guarded.write(
        broker=None,
        models={"echo": {"echo": {"needs": str(back)}}},
        groups={"apart": {"models": ["echo"]}},
        delivery={"guarantee": "exactly_once", "slow": "retry_topic", "retries": 0, "retry_after": "1s"},
    )
    rules = rules_of(guarded, secured)
    missing = Rule(f"User:{user_of(rules['group main'])}", "TOPIC", aside, "LITERAL", "WRITE")
    assert missing in rules["group main"]
    secured.allow(rule for some in rules.values() for rule in some if rule != missing)
    variables = {group: secured.variables(user_of(rules[f"group {group}"])) for group in ("main", "apart")}
    lacking = guarded.start("--group", "main", "--worker", "w1", **variables["main"])
    assert lacking.end(60) == 1
    assert f"Write on topic '{aside}'" in lacking.events[-1]["message"]
    secured.allow([missing])
    workers = [guarded.start("--group", group, "--worker", "w1", **variables[group]) for group in variables]
    for worker in workers:
        worker.ready()
    published = guarded.publish(*(f"mood {at}" for at in range(20)))
    until("what waits", lambda: guarded.client.topics().count(aside) and guarded.client.all(aside))
    back.touch()
    results, dead = guarded.ended()
    assert (ids(results), dead) == (sorted(published), [])
    until("an empty topic", lambda: all(first == end for first, end in guarded.client.ends(aside).values()))
    for worker in workers:
        assert not [line for line in worker.warnings if "uthoriz" in line or "denie" in line]
    assert [worker.terminate() for worker in workers] == [0, 0]
