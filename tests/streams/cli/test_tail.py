"""`headrace tail`: results and dead letters as they come, for people and for programs."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from headrace.core.record import Message, Position
from headrace.core.wire.dead import Failure, dead_letter
from headrace.streams.broker import start as start_broker
from headrace.streams.broker import stop as stop_broker
from tests.support.client import PATIENCE_S, Client

if TYPE_CHECKING:
    from headrace.streams.broker import Running

Headrace = Callable[..., Any]


def body(label: str = "negative", **more: Any) -> bytes:
    """A result as the message contract has it, as far as tail looks at it."""
    said = {
        "status": "ok",
        "output": {"label": label, "score": 0.9123},
        "model": "quick",
        "timings": {"total": 1234.5},
    }
    return json.dumps({**said, **more}).encode()


def letter(dead_topic: str, text: str = "no text") -> dict[str, Any]:
    message = Message(Position("in", 0, 7), b"ben", b'{"a": 1}', (), int(time.time() * 1000))
    failure = Failure(
        code="HR504", error="TextMissingError", kind="publisher", message=text, stage="ingress", plugin="json"
    )
    sent = dead_letter(message, failure, topic=dead_topic, pipeline="p", plan="abc", now_ms=time.time() * 1000)
    return {"key": sent.key, "value": sent.value, "headers": list(sent.headers)}


class Tail:
    """A running `headrace tail`, read line by line."""

    def __init__(self, file: Path, *words: str) -> None:
        command = [sys.executable, "-m", "headrace", "tail", str(file), *words]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self._rest = {"stdout": b"", "stderr": b""}
        self.told: list[str] = []

    def line(self, name: str = "stdout") -> str:
        """Return the next line of a stream; fail when none comes."""
        stream = getattr(self.process, name)
        while b"\n" not in self._rest[name]:
            assert select.select([stream], [], [], PATIENCE_S)[0], f"no line on {name}; rest: {self._rest}"
            more = os.read(stream.fileno(), 65536)
            assert more, f"the end of {name}: {self._rest}, {self.process.wait(10)}"
            self._rest[name] += more
        line, _, self._rest[name] = self._rest[name].partition(b"\n")
        return line.decode()

    def said(self, words: str) -> None:
        """Wait until it says this on stderr."""
        while not self.told or words not in self.told[-1]:
            self.told.append(self.line("stderr"))

    def end(self) -> int:
        """Wait for its end, and return the exit code."""
        return self.process.wait(PATIENCE_S)


@pytest.fixture
def client(kafka: Running) -> Client:
    return Client(kafka.bootstrap)


@pytest.fixture
def names(topic: Callable[..., str]) -> tuple[str, str, str]:
    """The two outputs and the dead letters."""
    return f"{topic()}.scored", f"{topic()}.alerts", f"{topic()}.dead"


def write_file(folder: Path, name: str, bootstrap: str) -> Path:
    file = folder / "pipeline.yaml"
    file.write_text(f"""\
headrace: 1
pipeline: {name}
input: {{topic: {name}, text: text}}
models: {{quick: lexicon}}
output: [{{topic: {{name: {name}.scored}}}}, {{topic: {{name: {name}.alerts, when: "output.label == 'negative'"}}}}]
broker: {{bootstrap: "{bootstrap}"}}
""")
    return file


@pytest.fixture
def tail(tmp_path: Path, topic: Callable[..., str], kafka: Running) -> Iterator[Callable[..., Tail]]:
    """Start `headrace tail`, as often as one likes; all are ended with the test."""
    file, started = write_file(tmp_path, topic(), kafka.bootstrap), list[Tail]()

    def start(*words: str) -> Tail:
        started.append(Tail(file, *words))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.communicate()


@pytest.fixture
def topics(client: Client, names: tuple[str, str, str]) -> tuple[str, str, str]:
    for name in names:
        client.make_topic(name)
    return names


@pytest.mark.broker
def test_a_program_gets_a_line_of_json_a_message(
    tail: Callable[..., Tail], client: Client, topics: tuple[str, str, str]
) -> None:
    scored, alerts, dead = topics
    client.publish(scored, {"key": b"ann", "value": body()})
    client.publish(alerts, {"value": b'{ "odd":  1 }'})
    client.publish(dead, letter(dead))
    running = tail("--json", "--from-start", "--count", "3")
    lines = {facts["topic"]: facts for facts in (json.loads(running.line()) for _ in range(3))}
    assert running.end() == 0
    assert lines[scored] == {"topic": scored, **json.loads(body())}
    assert lines[alerts] == {"topic": alerts, "odd": 1}
    assert (lines[dead]["code"], lines[dead]["message"], lines[dead]["key"]) == ("HR504", "no text", "ben")
    assert lines[dead]["source"] == {"topic": "in", "partition": 0, "offset": 7}


@pytest.mark.broker
def test_without_from_start_only_what_comes_next_is_shown(
    tail: Callable[..., Tail], client: Client, topics: tuple[str, str, str]
) -> None:
    client.publish(topics[0], {"value": body("old")})
    running = tail("--json")
    running.said(f"following {', '.join(topics)}")
    client.publish(topics[0], {"value": body("new")})
    assert json.loads(running.line())["output"]["label"] == "new"


@pytest.mark.broker
def test_a_person_gets_a_line_a_message_and_nothing_in_it_acts_on_the_terminal(
    tail: Callable[..., Tail], client: Client, topics: tuple[str, str, str]
) -> None:
    scored, _, dead = topics
    odd: list[dict[str, Any]] = [
        {"key": b"ann", "value": body()},
        {"key": b"\x1b[2J\xff", "value": body("\x1b[31mred", model="\u202eevil")},
        {"value": body(status="filtered", reason="too\nshort", output=None)},
        {"value": body(output={"text": "long " * 50})},
        {"value": b"\x1b[2Jno json"},
        {"value": b'{"output": 5}'},
    ]
    client.publish(scored, *odd)
    client.publish(dead, letter(dead, "no \x1b[31mtext"))
    running = tail("--from-start", "--count", "7")
    lines = [running.line() for _ in range(7)]
    assert all(line.isprintable() for line in lines), lines
    shown = "\n".join(lines)
    assert "  ann         negative    0.912  quick        1,234 ms  " in shown
    assert "  \\x1b[2J\\xff  \\x1b[31mred  0.912  \\u202eevil" in shown
    assert "filtered    too\\nshort  1,234 ms" in shown
    assert '{"text": "long long ' in shown
    assert "no result of Headrace  \\x1b[2Jno json" in shown
    assert "  ben         dead letter  HR504 no \\x1b[31mtext  (in:0:7)" in shown


@pytest.mark.broker
def test_one_output_or_the_dead_letters_can_be_chosen(
    tail: Callable[..., Tail], client: Client, topics: tuple[str, str, str]
) -> None:
    scored, alerts, dead = topics
    for name in (scored, alerts):
        client.publish(name, {"value": body()})
    client.publish(dead, letter(dead))

    def shown(*words: str) -> set[str]:
        running = tail("--json", "--from-start", "--idle-exit", "1", *words)
        out, _ = running.process.communicate(timeout=PATIENCE_S)
        assert running.process.returncode == 0
        return {json.loads(line)["topic"] for line in out.splitlines()}

    assert shown() == {scored, alerts, dead}
    assert shown("--output", alerts) == {alerts}
    assert shown("--dead") == {dead}
    assert shown("--output", alerts, "--dead") == {alerts, dead}


@pytest.mark.provokes("HR437")
def test_an_unknown_output_is_refused_with_the_nearest(headrace: Headrace, pipeline_file: Path) -> None:
    outcome = headrace("tail", pipeline_file, "--output", "reviews.score")
    assert (outcome.code, outcome.err) == (
        1,
        "HR437 no output 'reviews.score'; did you mean 'reviews.scored'?\n",
    )


@pytest.mark.broker
def test_topics_that_come_later_are_waited_for_read_whole_and_never_made(
    tail: Callable[..., Tail], client: Client, names: tuple[str, str, str]
) -> None:
    scored, alerts, dead = names
    client.make_topic(alerts)
    running = tail("--json")
    running.said(f"following {alerts}")
    running.said(f"waiting for {dead}, {scored}, which are not there yet")
    client.make_topic(scored)
    client.publish(scored, {"value": body("first")})
    assert json.loads(running.line())["output"]["label"] == "first"
    client.publish(alerts, {"value": body("still")})
    assert json.loads(running.line())["output"]["label"] == "still"
    assert client.partitions(dead) == 0


@pytest.mark.broker
def test_a_topic_that_is_deleted_made_again_and_grown_is_followed_on(
    tail: Callable[..., Tail], client: Client, topics: tuple[str, str, str]
) -> None:
    scored = topics[0]
    running = tail("--json", "--output", scored, "--dead")
    running.said("following")
    client.publish(scored, *({"value": body("before")} for _ in range(5)))
    assert [json.loads(running.line())["output"]["label"] for _ in range(5)] == ["before"] * 5
    client.delete_topic(scored)
    running.said(f"waiting for {scored}")
    client.make_topic(scored)
    running.said(f"following {scored} as well")
    client.publish(scored, {"value": body("after")})
    assert json.loads(running.line())["output"]["label"] == "after"
    client.grow_topic(scored, 3)
    client.publish(scored, {"value": body("grown"), "partition": 2})
    assert json.loads(running.line())["output"]["label"] == "grown"


@pytest.mark.broker
def test_a_broker_that_goes_and_comes_back_loses_nothing(broker_home: Path, tmp_path: Path) -> None:
    first = start_broker(broker_home, port=0)
    client = Client(first.bootstrap)
    for name in ("p.scored", "p.alerts", "p.dead"):
        client.make_topic(name)
    running = Tail(write_file(tmp_path, "p", first.bootstrap), "--json")
    try:
        running.said("following p.scored, p.alerts, p.dead")
        client.publish("p.scored", {"value": body("before")})
        assert json.loads(running.line())["output"]["label"] == "before"
        stop_broker(broker_home)
        running.said("the broker does not answer; waiting for it")
        start_broker(broker_home, port=first.port)
        Client(first.bootstrap).publish("p.scored", {"value": body("after")})
        running.said("the broker answers again")
        assert json.loads(running.line())["output"]["label"] == "after"
        running.process.send_signal(signal.SIGINT)
        assert running.end() == 130
        assert running.process.stderr
        told = [*running.told, *running.process.stderr.read().decode().splitlines()]
        assert [line for line in told if line] == [
            "following p.scored, p.alerts, p.dead",
            "the broker does not answer; waiting for it",
            "the broker answers again",
        ], "and nothing of the Kafka client's own log"
    finally:
        running.process.kill()


@pytest.mark.broker
def test_what_a_transaction_took_back_is_not_shown(
    tail: Callable[..., Tail], client: Client, topics: tuple[str, str, str]
) -> None:
    producer = client.producer(**{"transactional.id": topics[0]})
    producer.init_transactions(20)
    for label in ("aborted", "kept"):
        producer.begin_transaction()
        producer.produce(topics[0], body(label))
        if label == "kept":
            producer.commit_transaction(20)
        else:
            producer.flush(20)
            producer.abort_transaction(20)
    assert json.loads(tail("--json", "--from-start").line())["output"]["label"] == "kept"


@pytest.mark.provokes("HR201")
def test_a_broker_that_was_never_there_is_one_line(headrace: Headrace, pipeline_file: Path) -> None:
    pipeline_file.write_text(pipeline_file.read_text() + 'broker: {bootstrap: "127.0.0.1:1"}\n')
    outcome = headrace("tail", pipeline_file)
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.startswith("HR201 no Kafka broker answers at 127.0.0.1:1 ")
    assert len(outcome.err.splitlines()) == 1


@pytest.mark.broker
def test_a_reader_that_has_enough_ends_it_quietly(
    tail: Callable[..., Tail], client: Client, topics: tuple[str, str, str]
) -> None:
    running = tail("--json")
    running.said("following")
    assert running.process.stdout
    running.process.stdout.close()
    client.publish(topics[0], {"value": body()})
    assert running.end() == 0
