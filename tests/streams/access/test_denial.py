"""What a broker denies, met by each client and each command: one error that names the rule that is missing."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from headrace.core.config.broker import Broker
from headrace.streams.access.connection import Connection, connection_to
from headrace.streams.access.denial import denial
from headrace.streams.access.errors import AccessDeniedError
from tests.support.secured import PASSWORD, Rule

if TYPE_CHECKING:
    from tests.support.secured import Secured

pytestmark = pytest.mark.broker


class Denied(NamedTuple):
    """A pipeline whose topics are there, and a user who has no rights yet."""

    secured: Secured
    name: str
    user: str
    file: Path

    @property
    def connection(self) -> Connection:
        said = {
            "bootstrap": self.secured.address("LOGIN"),
            "security_protocol": "SASL_PLAINTEXT",
            "sasl_mechanism": "SCRAM-SHA-512",
            "sasl_username": self.user,
            "sasl_password": PASSWORD,
        }
        return connection_to(Broker.model_validate(said), start_embedded=False, home=Path("nowhere"))

    def allow(self, *rules: tuple[str, str, str]) -> None:
        """Allow (resource, suffix of the name, operation), for what begins so."""
        self.secured.allow(
            Rule(f"User:{self.user}", resource, f"{self.name}{suffix}", "PREFIXED", operation)
            for resource, suffix, operation in rules
        )

    def headrace(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command on the file, logged in as the user."""
        command = [sys.executable, "-m", "headrace", words[0], str(self.file), *words[1:]]
        environment = {**os.environ, **self.secured.variables(self.user)}
        return subprocess.run(
            command,
            input='{"text": "fine"}\n',
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture
def denied(secured: Secured, topic: Callable[..., str], tmp_path: Path) -> Denied:
    name, user = topic(), f"user-{secrets.token_hex(4)}"
    secured.add_user(user)
    file = tmp_path / "pipeline.yaml"
    file.write_text(
        f"headrace: 1\npipeline: {name}\ninput: {{topic: {name}, text: text}}\nmodels: {{quick: lexicon}}\n"
        f"output: [{{topic: {{name: {name}.out}}}}]\ntopics: {{create: false}}\n"
    )
    compacted: dict[str, Any] = {"cleanup_policy": "compact"}
    for suffix in ("", ".out", ".audit", ".main.heartbeat"):
        secured.client.make_topic(f"{name}{suffix}")
    secured.client.make_topic(f"{name}.dead", max_message_bytes=str(1_048_588 + 65_536))
    secured.client.make_topic(f"{name}.control", **compacted)
    secured.client.publish(f"{name}.out", {"value": b"{}"})
    secured.client.publish(f"{name}.control", {"key": "paused/echo", "value": b'{"why": "rest"}'})
    return Denied(secured, name, user, file)


async def test_a_producer_is_told_what_it_may_not_write(denied: Denied) -> None:
    denied.allow(("TOPIC", "", "DESCRIBE"))
    producer = AIOKafkaProducer(**denied.connection.options)
    await producer.start()
    with pytest.raises(Exception, match="29") as caught:
        await producer.send_and_wait(denied.name, b"x")
    await producer.stop()
    found = denial(caught.value, denied.connection, operation="Write")
    assert found is not None
    assert found.fault == f"the broker denies User:{denied.user} Write on topic '{denied.name}'"


async def test_a_transaction_is_told_by_its_id(denied: Denied) -> None:
    producer = AIOKafkaProducer(**denied.connection.options, transactional_id=f"{denied.name}.ingress.0")
    with pytest.raises(Exception, match="53") as caught:
        await producer.start()
    await producer.stop()
    found = denial(caught.value, denied.connection)
    assert found is not None
    assert found.fault == f"the broker denies User:{denied.user} Write on transactional id '{denied.name}.ingress.0'"
    assert f"--operation Write --transactional-id '{denied.name}.ingress.0'" in found.mend


async def test_a_consumer_is_told_what_it_may_not_read(denied: Denied) -> None:
    denied.allow(("TOPIC", "", "DESCRIBE"))
    consumer = AIOKafkaConsumer(**denied.connection.options, auto_offset_reset="earliest")
    await consumer.start()
    consumer.assign([TopicPartition(f"{denied.name}.out", 0)])
    with pytest.raises(Exception, match="29") as caught:
        await consumer.getmany(timeout_ms=5_000)
    await consumer.stop()
    found = denial(caught.value, denied.connection)
    assert found is not None
    assert found.fault == f"the broker denies User:{denied.user} Read on topic '{denied.name}.out'"


def test_other_errors_are_about_something_else() -> None:
    assert denial(ValueError("x"), Connection("a:1")) is None


LOOK = [("TOPIC", "", "DESCRIBE"), ("TOPIC", "", "DESCRIBE_CONFIGS")]
COMMANDS = [
    (("publish", "-"), LOOK, "Write on topic '{p}'"),
    (("publish", "-"), LOOK[:1], "DescribeConfigs on topic '{p}"),
    (("tail", "--from-start", "--count", "1"), LOOK, "Read on topic '{p}."),
    (("status",), LOOK, "Read on topic '{p}.control'"),
    (("status",), [*LOOK, ("TOPIC", "", "READ")], "Read on group '{p}.ingress'"),
    (("pause", "--stage", "ingress"), [*LOOK, ("TOPIC", "", "READ")], "Write on topic '{p}.control'"),
    (
        ("pause", "--stage", "ingress"),
        [*LOOK, ("TOPIC", "", "READ"), ("TOPIC", ".control", "WRITE")],
        "Write on topic '{p}.audit'",
    ),
]


@pytest.mark.provokes("HR243")
@pytest.mark.parametrize(("words", "rules", "told"), COMMANDS, ids=lambda it: it[0] if isinstance(it, tuple) else "")
def test_a_command_ends_with_the_rule_that_it_needs(
    denied: Denied, words: tuple[str, ...], rules: list[tuple[str, str, str]], told: str
) -> None:
    denied.allow(*rules)
    done = denied.headrace(*words)
    assert done.returncode == 1, done
    last = done.stderr.splitlines()[-1]
    assert f"HR243 the broker denies User:{denied.user} {told.format(p=denied.name)}" in last, done.stderr
    assert "Traceback" not in done.stderr
    assert PASSWORD not in done.stdout + done.stderr


def test_an_error_says_how_to_mend_it_in_words_of_a_shell() -> None:
    error = AccessDeniedError("User:ann", "Write", "topic", "a.b")
    assert error.mend.startswith(
        "allow it: kafka-acls --add --allow-principal 'User:ann' --operation Write --topic 'a.b'; `headrace plan"
    )
