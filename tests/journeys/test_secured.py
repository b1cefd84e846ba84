"""Pipelines on a Kafka that asks who comes: logins, certificates, and no more rights than `plan --acls` prints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.conftest import stopped_at_last
from tests.journeys.conftest import ending
from tests.support.certificates import KEY_PASSWORD
from tests.support.client import until
from tests.support.pipeline import Pipeline
from tests.support.secured import PASSWORD, Rule, Secured, rules_of, user_of

pytestmark = pytest.mark.broker

GROUPS = {"ingress": {"stages": ["ingress"]}, "echo": {"models": ["echo"]}}


@pytest.fixture
def pipeline(guarded: Pipeline) -> Pipeline:
    return guarded


def own_topics(pipeline: Pipeline) -> list[str]:
    """Every topic of the pipeline: what it writes on links, into signs of life, settings and dead letters as well."""
    found = [name for name in pipeline.client.topics() if name.startswith(pipeline.name)]
    assert len(found) > 6
    return found


def texts(count: int) -> list[str]:
    return [f"review {number}" for number in range(count)]


def assert_no_secret(pipeline: Pipeline, *more: str) -> None:
    said = [line for worker in pipeline.workers for line in worker.lines]
    for text in (*said, *more):
        assert PASSWORD not in text
        assert KEY_PASSWORD not in text


def test_groups_run_with_just_the_rights_that_the_plan_prints(
    pipeline: Pipeline, secured: Secured, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.write(broker=None, groups=GROUPS, topics={"partitions": 2})
    rules = rules_of(pipeline, secured)
    secured.allow(rule for some in rules.values() for rule in some)
    for group in ("ingress", "echo", "main"):
        user = user_of(rules[f"group {group}"])
        pipeline.start("--group", group, "--worker", "w1", **secured.variables(user, "VAULT"))
    for worker in pipeline.workers:
        worker.ready()
    ids = pipeline.publish(*texts(200))
    (broken,) = pipeline.client.publish(pipeline.input, {"value": b"no JSON"})
    results, dead = pipeline.ended()
    assert sorted(seen.body["id"] for seen in results) == sorted(ids)
    assert [seen.header("__streams.errors.offset") for seen in dead] == [broken.rpartition(":")[2]]
    for name, value in secured.variables(user_of(rules["operators"]), "VAULT").items():
        monkeypatch.setenv(name, value)
    facts = json.loads(pipeline.headrace("status", str(pipeline.file), "--json"))
    assert {stage["stage"]: (stage["lag"], len(stage["members"])) for stage in facts["stages"]} == {
        "ingress": (0, 1),
        "echo": (0, 1),
        "egress": (0, 1),
    }
    pipeline.headrace("pause", str(pipeline.file), "--stage", "echo", "--why", "rest")
    pipeline.headrace("resume", str(pipeline.file), "--stage", "echo")
    read = pipeline.headrace("tail", str(pipeline.file), "--from-start", "--count", "201", "--json")
    assert len(read.splitlines()) == 201
    links = [pipeline.link(stage) for stage in ("echo", "egress")]
    until(
        "purged links", lambda: all(first == end for link in links for first, end in secured.client.ends(link).values())
    )
    for worker in pipeline.workers:
        assert not [line for line in worker.warnings if "uthoriz" in line or "denie" in line]
    assert_no_secret(pipeline, *(repr(seen) for name in own_topics(pipeline) for seen in pipeline.client.all(name)))
    plan = pipeline.headrace("plan", str(pipeline.file)) + pipeline.headrace("plan", str(pipeline.file), "--json")
    assert_no_secret(pipeline, plan, json.dumps(facts), *(worker.get("readyz")[1] for worker in pipeline.workers))
    assert [worker.terminate() for worker in pipeline.workers] == [0, 0, 0]


class Missing(NamedTuple):
    """A rule that is left out, and what is said then."""

    resource: str
    name: str
    operation: str
    words: str


MISSING = [
    Missing("topic", "{p}.out", "WRITE", "denies {user} Write on topic '{p}.out'"),
    Missing("topic", "{p}.main.heartbeat", "WRITE", "denies {user} Write on topic '{p}.main.heartbeat'"),
    Missing("topic", "{p}.main.heartbeat", "READ", "denies {user} Read on topic '{p}.main.heartbeat'"),
    Missing("topic", "{p}", "READ", "denies {user} Read on topic '{p}'"),
    Missing("topic", "{p}.control", "READ", "denies {user} Read on topic '{p}.control'"),
    Missing("topic", "{p}.control", "WRITE", "denies {user} Write on topic '{p}.control'"),
    Missing("topic", "{p}.", "CREATE", "denies {user} Create on topic '{p}."),
    Missing("topic", "{p}.", "DESCRIBE_CONFIGS", "denies {user} DescribeConfigs on topic '{p}."),
    Missing("group", "{p}.ingress", "READ", "denies {user} Read on group '{p}.ingress'"),
    Missing("group", "{p}.main.app", "READ", "denies {user} Read on group '{p}.main.app'"),
]


@pytest.mark.provokes("HR243")
@pytest.mark.parametrize("case", MISSING, ids=lambda case: f"{case.operation} {case.resource} {case.name}")
def test_a_right_that_is_missing_ends_a_worker_with_the_rule_that_it_needs(
    pipeline: Pipeline, secured: Secured, case: Missing
) -> None:
    rules = rules_of(pipeline, secured)["group main"]
    missing = (case.resource.upper(), case.name.format(p=pipeline.name), case.operation)
    kept = [rule for rule in rules if (rule.resource, rule.name, rule.operation) != missing]
    assert len(kept) < len(rules)
    secured.allow(kept)
    secured.client.make_topic(pipeline.input)
    pipeline.publish("fine")
    worker = pipeline.start(**secured.variables(user_of(rules)))
    assert worker.end(60) == 1
    last = worker.events[-1]
    assert last["code"] == "HR243"
    assert case.words.format(p=pipeline.name, user=rules[0].principal) in last["message"], last["message"]
    assert "kafka-acls --add --allow-principal" in last["message"]
    assert not [line for line in worker.lines if "Traceback" in line]
    assert_no_secret(pipeline)


@pytest.mark.provokes("HR241")
def test_a_wrong_password_ends_every_command_with_one_line(pipeline: Pipeline, secured: Secured) -> None:
    secured.add_user("ann")
    wrong = secured.variables("ann") | {"HEADRACE_BROKER_SASL_PASSWORD": "planted-wrong"}
    worker = pipeline.start(**wrong)
    assert worker.end() == 1
    assert [event.get("code") for event in worker.events if event["level"] != "info"] == ["HR241"]
    assert "planted-wrong" not in worker.log.read_text()


@pytest.mark.provokes("HR241")
def test_a_worker_that_is_no_longer_let_in_says_so_and_ends(tmp_path: Path, topic: Any) -> None:
    with stopped_at_last(tmp_path / "own"), ending(Pipeline(tmp_path, topic(), "")) as pipeline:
        broker = Secured(tmp_path / "own").start()
        broker.add_user("ann")
        everything = [("TOPIC", "ALL"), ("GROUP", "ALL")]
        broker.allow(Rule("User:ann", kind, pipeline.name, "PREFIXED", operation) for kind, operation in everything)
        pipeline.write(broker=None)
        worker = pipeline.run(**broker.variables("ann"))
        broker.add_user("ann", "another password")
        broker.node.stop()
        broker.node.start()
        until("its notice of it", lambda: "refuses the name or the password of User:ann" in worker.get("readyz")[1])
        assert worker.end(60) == 1
        assert next(event["code"] for event in worker.events if "code" in event) == "HR241"


def test_a_client_certificate_is_enough(pipeline: Pipeline, secured: Secured) -> None:
    own, authority = str(secured.client_certificate), str(secured.authority.file)
    pipeline.write(
        broker={
            "bootstrap": secured.address("BADGE"),
            "security_protocol": "SSL",
            "ssl_cafile": authority,
            "ssl_certfile": own,
            "ssl_password": "${KEY_PASSWORD}",
        }
    )
    principal = "User:CN=headrace-client"
    everything = [("TOPIC", "ALL"), ("GROUP", "ALL")]
    secured.allow(Rule(principal, kind, pipeline.name, "PREFIXED", operation) for kind, operation in everything)
    worker = pipeline.run(KEY_PASSWORD=KEY_PASSWORD)
    ids = pipeline.publish(*texts(20))
    results, _ = pipeline.ended()
    assert sorted(seen.body["id"] for seen in results) == sorted(ids)
    assert worker.terminate() == 0
    assert_no_secret(pipeline)
