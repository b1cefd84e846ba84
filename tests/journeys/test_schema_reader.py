"""A publisher and a consumer written against `headrace schema asyncapi` alone: they know no other word of Headrace.

They get the document, find in it what may be sent and received, and hold every real message to it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from jsonschema import Draft202012Validator

from tests.journeys.conftest import MakePipeline, ending
from tests.support.client import Client, Seen
from tests.support.pipeline import Pipeline

pytestmark = pytest.mark.broker

LIMIT = 200


class Stranger:
    """Knows AsyncAPI 3.0, Kafka and JSON Schema, and nothing else."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document

    def topics(self, action: str) -> dict[str, dict[str, Any]]:
        """Return the operations of this kind by the address of their channel."""
        operations = [one for one in self.document["operations"].values() if one["action"] == action]
        return {self.resolve(one["channel"])["address"]: one for one in operations}

    def resolve(self, value: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in value:
            target: Any = self.document
            for key in value["$ref"].removeprefix("#/").split("/"):
                target = target[key]
            value = target
        return value

    def messages(self, operation: dict[str, Any]) -> dict[str, dict[str, Any]]:
        found = (self.resolve(one) for one in operation["messages"])
        return {message["name"]: message for message in found}

    def faults(self, schema: dict[str, Any], value: Any) -> list[str]:
        whole = {"components": self.document["components"], **schema}
        return [f"{error.json_path}: {error.message}" for error in Draft202012Validator(whole).iter_errors(value)]

    def sample(self, schema: dict[str, Any]) -> Any:
        """Return the least value that a schema takes."""
        schema = self.resolve(schema)
        if schema.get("type") == "object":
            return {name: self.sample(schema["properties"][name]) for name in schema.get("required", [])}
        return "a perfectly good text"

    def misfits(self, message: dict[str, Any], seen: Seen) -> list[str]:
        """Return what of a real message is not as the document has it."""
        headers = {name: (value or b"").decode() for name, value in seen.headers}
        key = seen.key.decode() if seen.key is not None else None
        found = self.faults(message.get("headers", {"maxProperties": 0}), headers)  # none written down, none there
        found += self.faults(message["bindings"]["kafka"]["key"], key)
        if "payload" in message:
            assert message["contentType"] == "application/json"
            found += self.faults(message["payload"], json.loads(seen.value or b""))
        return found


class Ran(NamedTuple):
    """What the stranger knows, and the pipeline that it dealt with."""

    stranger: Stranger
    client: Client
    pipeline: Pipeline


@pytest.fixture(scope="module")
def ran(make_pipeline: MakePipeline) -> Iterator[Ran]:
    with ending(make_pipeline("schema")) as pipeline:
        pipeline.write(
            input={"topic": pipeline.input, "text": "review.body", "unit": "user"},
            models={"quick": "lexicon", "slow": {"lexicon": {"characters": 5}}},
            route={"cascade": {"order": ["quick", "slow"], "accept": 0.9}},
            output=[
                {"topic": {"name": pipeline.output}},
                {"topic": {"name": f"{pipeline.name}.by-unit", "key": "unit"}},
                {"topic": {"name": f"{pipeline.name}.low", "when": "output.score < 0.8"}},
            ],
        )
        command = [sys.executable, "-m", "headrace", "schema", "asyncapi", str(pipeline.file)]
        printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        pipeline.run()
        stranger = Stranger(json.loads(printed.stdout))
        host = next(iter(stranger.document["servers"].values()))["host"]
        yield Ran(stranger, Client(host), pipeline)


def test_a_consumer_written_against_the_schema_alone_works(ran: Ran) -> None:
    stranger, client, pipeline = ran
    ((topic, sending),) = stranger.topics("send").items()
    record = stranger.messages(sending)["record"]
    least = stranger.sample(record["payload"])
    good = [{**least, "user": user} for user in ("ann", 7, None, True)]
    good += [{"review": {"body": f"text {number}, sad and bad"}} for number in range(LIMIT)]
    assert [fault for value in good for fault in stranger.faults(record["payload"], value)] == []
    bad = [{"review": {"body": 7}}, {"review": {}}, []]
    assert all(stranger.faults(record["payload"], value) for value in bad)
    sent = [{"value": json.dumps(value), "key": b"ann" if at % 2 else None} for at, value in enumerate([*good, *bad])]
    client.publish(topic, *sent)
    pipeline.settled()

    receiving = stranger.topics("receive")
    seen = {address: client.all(address) for address in receiving if client.partitions(address)}
    counts = {address: len(found) for address, found in seen.items()}
    assert counts[f"{pipeline.name}.out"] == counts[f"{pipeline.name}.by-unit"] == len(good)
    assert counts[f"{pipeline.name}.low"] > 0
    assert counts[f"{pipeline.name}.dead"] == len(bad)
    for address, found in seen.items():
        kinds = stranger.messages(receiving[address])
        for one in found:
            outcomes = {name: stranger.misfits(message, one) for name, message in kinds.items()}
            assert [] in outcomes.values(), f"{address}: {outcomes}"


def test_a_message_that_is_not_what_its_schema_says_would_be_noticed(ran: Ran) -> None:
    """Guards the test above, which a schema that takes everything would pass."""
    stranger, client, pipeline = ran
    (message,) = stranger.messages(stranger.topics("receive")[f"{pipeline.name}.out"]).values()
    one = client.first(f"{pipeline.name}.out", 1)[0]
    assert stranger.misfits(message, one) == []
    body = one.body
    assert stranger.misfits(message, one._replace(value=json.dumps({**body, "status": "lost"}).encode()))
    assert stranger.misfits(message, one._replace(value=json.dumps({**body, "timings": {}}).encode()))
    assert stranger.misfits(message, one._replace(headers=one.headers[1:]))


def test_every_topic_of_the_document_is_there_and_has_the_partitions_that_it_says(ran: Ran) -> None:
    stranger, client, _ = ran
    for channel in stranger.document["channels"].values():
        assert client.partitions(channel["address"]) == channel["bindings"]["kafka"].get("partitions", 1)
