"""AsyncAPI 3.0 of a pipeline: every topic has its place, every reference leads somewhere, every object is legal.

The rules here are those of the specification (and of Kafka bindings 0.5.0) that a document of ours can break.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from jsonschema import Draft7Validator

from headrace import MessageShape, Outgoing, Result, SinkOptions
from headrace.core.catalog import Catalog
from headrace.core.plan.compile import compile_file
from headrace.core.plan.plan import TopicPlan
from headrace.core.schema.asyncapi import ROLES, asyncapi
from tests.support.planned import installed_and

Document = Callable[..., dict[str, Any]]

FILE = """\
headrace: 1
pipeline: reviews
input: {topic: reviews, text: body, unit: user}
models: {quick: lexicon}
output:
  - topic: {name: reviews.scored, partitions: 4}
  - topic: {name: reviews_scored}
  - topic: {name: by.user, key: unit}
broker: {bootstrap: "one:9092, two:9092"}
topics: {partitions: 8}
"""

# What an object of the specification must have, and what else it may have.
REQUIRED: Mapping[str, tuple[str, ...]] = {
    "document": ("asyncapi", "info", "channels", "operations", "components"),
    "channel": ("address", "messages"),
    "operation": ("action", "channel"),
    "message": ("name", "summary"),
}
ALLOWED: Mapping[str, tuple[str, ...]] = {
    "document": ("servers",),
    "channel": ("title", "description", "bindings"),
    "operation": ("summary", "messages", "bindings"),
    "message": ("title", "contentType", "payload", "headers", "bindings"),
}
BINDINGS: Mapping[str, set[str]] = {
    "channel": {"topic", "partitions", "replicas", "topicConfiguration", "bindingVersion"},
    "operation": {"groupId", "clientId", "bindingVersion"},
    "message": {"key", "bindingVersion"},
}
IDENTIFIER = re.compile(r"[A-Za-z0-9_-]+")


@pytest.fixture
def document(tmp_path: Path) -> Document:
    """The document of a pipeline file."""

    def make(text: str = FILE, catalog: Catalog | None = None) -> dict[str, Any]:
        file = tmp_path / "p.yaml"
        file.write_text(text)
        return asyncapi(compile_file(file, registry=str(tmp_path), catalog=catalog))

    return make


def objects(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield "document", document
    yield from (("channel", one) for one in document["channels"].values())
    yield from (("operation", one) for one in document["operations"].values())
    yield from (("message", one) for one in document["components"]["messages"].values())


def references(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        yield from (inner for key, inner in value.items() if key == "$ref")
        yield from (found for inner in value.values() for found in references(inner))
    elif isinstance(value, Sequence) and not isinstance(value, str):
        yield from (found for inner in value for found in references(inner))


def found(document: dict[str, Any], reference: str) -> Any:
    value: Any = document
    for key in reference.removeprefix("#/").split("/"):
        value = value[key]
    return value


def test_every_topic_of_the_plan_is_a_channel_and_every_role_is_known(document: Document, tmp_path: Path) -> None:
    made = document()
    plan = compile_file(tmp_path / "p.yaml", registry="")
    assert [channel["address"] for channel in made["channels"].values()] == [topic.name for topic in plan.topics]
    assert [channel["x-headrace-role"] for channel in made["channels"].values()] == [one.role for one in plan.topics]
    assert set(get_args(get_type_hints(TopicPlan)["role"])) <= set(ROLES)


def test_every_object_has_what_the_specification_asks_for_and_nothing_that_it_does_not_know(document: Document) -> None:
    for kind, one in objects(document()):
        own = {key for key in one if not key.startswith("x-")}
        assert set(REQUIRED[kind]) <= own <= {*REQUIRED[kind], *ALLOWED[kind]}
        if kind in BINDINGS and "bindings" in one:
            assert set(one["bindings"]["kafka"]) <= BINDINGS[kind]
            assert one["bindings"]["kafka"]["bindingVersion"] == "0.5.0"


def test_every_reference_leads_somewhere(document: Document) -> None:
    made = document()
    targets = set(references(made))
    assert len(targets) > 10
    for target in targets:
        assert found(made, target)


def test_names_are_identifiers_for_generators_of_code(document: Document) -> None:
    made = document()
    parts = (made["channels"], made["operations"], *made["components"].values(), made["servers"])
    assert all(IDENTIFIER.fullmatch(name) for part in parts for name in part)
    addresses = {name: channel["address"] for name, channel in made["channels"].items()}
    assert addresses["reviews_scored"] == "reviews.scored"
    assert addresses["reviews_scored_2"] == "reviews_scored"


def test_schemas_are_of_the_draft_that_every_asyncapi_tool_reads(document: Document) -> None:
    for schema in document()["components"]["schemas"].values():
        Draft7Validator.check_schema(schema)
        assert "$defs" not in schema


def test_people_send_to_the_input_and_receive_from_the_rest(document: Document) -> None:
    made = document()
    does = {found(made, one["channel"]["$ref"])["address"]: one["action"] for one in made["operations"].values()}
    assert (does["reviews"], does["reviews.scored"], does["reviews.dead"]) == ("send", "receive", "receive")
    assert not any(address.endswith(".heartbeat") for address in does)
    for one in made["operations"].values():
        own = set(found(made, one["channel"]["$ref"])["messages"])
        assert {reference["$ref"].rpartition("/")[2] for reference in one["messages"]} == own


def test_what_the_plan_says_of_a_topic_is_in_its_binding(document: Document) -> None:
    channels = document()["channels"]
    bindings = {name: channel["bindings"]["kafka"] for name, channel in channels.items()}
    assert bindings["reviews"]["partitions"] == 8
    assert bindings["reviews_scored"]["partitions"] == 4
    assert bindings["reviews_dead"]["topicConfiguration"]["cleanup.policy"] == ["delete"]
    assert bindings["reviews_dead"]["topicConfiguration"]["retention.ms"] == -1
    assert channels["reviews"]["x-headrace-consumer-group"] == "reviews.ingress"


def test_a_reader_s_group_is_its_own(document: Document) -> None:
    group = document()["operations"]["receive-reviews_scored"]["bindings"]["kafka"]["groupId"]
    assert Draft7Validator(group).is_valid("dashboard")
    assert not Draft7Validator(group).is_valid("reviews.ingress")


def test_each_server_of_the_file_is_named(document: Document) -> None:
    hosts = [server["host"] for server in document()["servers"].values()]
    assert hosts == ["one:9092", "two:9092"]
    assert "servers" not in document(FILE.replace('broker: {bootstrap: "one:9092, two:9092"}\n', ""))


def test_results_keyed_by_unit_are_a_kind_of_their_own(document: Document) -> None:
    made = document()
    (by_user,) = made["channels"]["by_user"]["messages"]
    assert by_user == "result-by-unit"
    assert "unit" in made["components"]["messages"][by_user]["bindings"]["kafka"]["key"]["description"]


class CrateOptions(SinkOptions):
    """What a pipeline file may say of `crate`."""

    name: str


class Crate:
    """A stranger's sink that says what it writes."""

    def __init__(self, options: CrateOptions) -> None:
        self._name = options.name

    def topics(self) -> Sequence[str]:
        return (self._name,)

    def outgoing(self, results: Sequence[Result]) -> Sequence[Outgoing]:
        return [Outgoing(self._name, None, b"1") for _ in results]

    def shape(self) -> MessageShape:
        inner = {"$defs": {"Size": {"type": "integer"}}, "properties": {self._name: {"$ref": "#/$defs/Size"}}}
        return MessageShape("result", "A crate.", body=inner)


class Mute(Crate):
    """One that does not."""

    shape = None  # type: ignore[assignment]


@pytest.mark.parametrize(("sink", "expected"), [(Crate, ["result", "result_2", "result_3"]), (Mute, ["result"])])
def test_a_stranger_s_sink_may_say_what_it_writes_and_clashes_with_nobody(
    document: Document, sink: type, expected: list[str]
) -> None:
    catalog = installed_and(lambda catalog: catalog.sink("crate", sink, options=CrateOptions))
    crates = "\n  - crate: {name: a}\n  - crate: {name: b}\n  - topic: {name: by.user"
    made = document(FILE.replace("\n  - topic: {name: by.user", crates), catalog)
    assert [name for name in made["components"]["messages"] if re.fullmatch("result(_.)?", name)] == expected
    for target in references(made):
        assert found(made, target)
    if sink is Mute:
        message = made["components"]["messages"]["crate-message"]
        assert (message["summary"], "payload" in message) == (
            "A message as the sink 'crate' of tests writes it.",
            False,
        )
