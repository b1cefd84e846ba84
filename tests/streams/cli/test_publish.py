"""`headrace publish`: lines in, messages on the topic, every one accounted for."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.client import Client

if TYPE_CHECKING:
    from headrace.streams.broker import Running

Headrace = Callable[..., Any]
COMMAND = [sys.executable, "-m", "headrace", "publish"]


@pytest.fixture
def client(kafka: Running) -> Client:
    return Client(kafka.bootstrap)


@pytest.fixture
def file(tmp_path: Path, topic: Callable[..., str], kafka: Running) -> Path:
    """A pipeline that reads JSON, with a text and a unit; one partition."""
    return write_file(tmp_path, topic(), kafka)


def write_file(folder: Path, name: str, kafka: Running, source: str = "text: text, unit: user", **more: Any) -> Path:
    file = folder / "pipeline.yaml"
    lines = [f"{key}: {json.dumps(value)}\n" for key, value in more.items()]
    file.write_text(f"""\
headrace: 1
pipeline: {name}
input: {{topic: {name}, {source}}}
models: {{quick: lexicon}}
output: [{{topic: {{name: {name}.out}}}}]
broker: {{bootstrap: "{kafka.bootstrap}"}}
{"".join(lines) or "topics: {partitions: 1}"}
""")
    return file


def seed(client: Client, name: str) -> None:
    """Make a topic and put a message on it: only then does every client know who leads it."""
    client.make_topic(name)
    client.publish(name, {"value": b"{}"})


def start(*words: str | Path, **settings: Any) -> subprocess.Popen[bytes]:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([*COMMAND, *map(str, words)], **{**pipes, **settings})


def publish(*words: str | Path, given: bytes = b"") -> subprocess.CompletedProcess[str]:
    ended = subprocess.run([*COMMAND, *map(str, words)], input=given, capture_output=True, check=False, timeout=90)
    return subprocess.CompletedProcess([], ended.returncode, ended.stdout.decode(), ended.stderr.decode())


@pytest.mark.broker
def test_json_lines_arrive_byte_for_byte_with_the_unit_as_key(
    file: Path, topic: Callable[..., str], client: Client
) -> None:
    lines = [b'{"user": "ann",  "text": "a"}', b"{broken", b"\xff\xfe", b'{"user": 7, "text": "b"}']
    outcome = publish(file, given=b"\n".join([*lines, b"", b""]))
    assert (outcome.returncode, outcome.stderr) == (0, "")
    assert outcome.stdout.startswith(f"sent 4 messages to {topic()} in ")
    assert outcome.stdout.endswith("; 2 without a key\n")
    seen = client.all(topic())
    assert [one.value for one in seen] == lines
    assert [one.key for one in seen] == [b"ann", None, None, b"7"]


@pytest.mark.broker
def test_the_topics_of_the_plan_are_made_first(file: Path, topic: Callable[..., str], client: Client) -> None:
    publish(file, given=b"{}\n")
    assert [client.partitions(f"{topic()}{suffix}") for suffix in ("", ".out", ".dead")] == [1, 1, 1]


@pytest.mark.broker
def test_a_csv_file_is_known_by_its_name(file: Path, tmp_path: Path, topic: Callable[..., str], client: Client) -> None:
    source = tmp_path / "in.csv"
    source.write_text("user,comment\nann,nice\nben,bad\n")
    outcome = publish(file, source, "--text-column", "comment", "--json")
    facts = json.loads(outcome.stdout)
    assert (facts["sent"], facts["refused"], facts["without_key"], facts["interrupted"]) == (2, {}, 0, False)
    seen = client.all(topic())
    assert [(one.key, one.body) for one in seen] == [
        (b"ann", {"user": "ann", "text": "nice"}),
        (b"ben", {"user": "ben", "text": "bad"}),
    ]


@pytest.mark.broker
def test_text_lines_fit_what_the_pipeline_reads(
    file: Path, tmp_path: Path, kafka: Running, topic: Callable[..., str], client: Client
) -> None:
    publish(file, "--format", "text", given=b"nice\n")
    bare = write_file(tmp_path, topic("bare"), kafka, source="format: text")
    publish(bare, given=b"nice\n")
    assert [client.all(name)[0].value for name in (topic(), topic("bare"))] == [b'{"text":"nice"}', b"nice"]


@pytest.mark.broker
@pytest.mark.provokes("HR436")
def test_a_message_that_its_topic_would_refuse_is_told_and_its_neighbours_arrive(
    file: Path, topic: Callable[..., str], client: Client
) -> None:
    big = json.dumps({"user": "ann", "text": "x" * 1_100_000}).encode()
    outcome = publish(file, given=b'{"text": "a"}\n' + big + b'\n{"text": "b"}\n')
    assert outcome.returncode == 1
    assert outcome.stdout.startswith("sent 2 messages to ")
    assert outcome.stderr.startswith("HR436 1 message did not arrive: 1 larger than the 1,048,588 bytes that topic ")
    assert [one.body["text"] for one in client.all(topic())] == ["a", "b"]


@pytest.mark.broker
def test_thousands_arrive_once_and_in_order(
    file: Path, tmp_path: Path, topic: Callable[..., str], client: Client
) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text("".join(f'{{"user": "u{at % 7}", "text": "{at}"}}\n' for at in range(6000)))
    assert publish(file, source).stdout.startswith("sent 6,000 messages to ")
    assert [one.body["text"] for one in client.all(topic())] == [str(at) for at in range(6000)]


@pytest.mark.broker
def test_strict_sends_nothing_when_a_line_is_no_json(file: Path, topic: Callable[..., str], client: Client) -> None:
    outcome = publish(file, "--strict", given=b'{"text": "a"}\n{broken\n')
    assert (outcome.returncode, outcome.stdout) == (1, "")
    assert outcome.stderr.startswith("stdin:2:1 HR433 the line is not JSON: ")
    assert client.partitions(topic()) == 0


@pytest.mark.broker
def test_what_came_before_a_bad_row_is_sent_and_said(file: Path, topic: Callable[..., str], client: Client) -> None:
    outcome = publish(file, "--format", "csv", given=b"user,text\nann,nice\nben\n")
    assert outcome.returncode == 1
    assert outcome.stdout.startswith("sent 1 message to ")
    assert outcome.stderr.startswith("stdin:3:1 HR433 ")
    assert len(client.all(topic())) == 1


@pytest.mark.broker
def test_a_rate_is_held(file: Path) -> None:
    began = time.monotonic()
    assert publish(file, "--rate", "10/s", given=b"{}\n" * 11).returncode == 0
    assert time.monotonic() - began >= 1.0


@pytest.mark.broker
@pytest.mark.parametrize("name", [signal.SIGINT, signal.SIGTERM])
def test_a_line_of_a_live_pipe_is_sent_at_once_and_a_signal_says_how_many_were(
    file: Path, topic: Callable[..., str], client: Client, name: signal.Signals
) -> None:
    seed(client, topic())
    with start(file) as running:
        assert running.stdin
        assert running.stdout
        running.stdin.write(b'{"text": "a"}\n{"text": "b"}\n')
        running.stdin.flush()
        client.first(topic(), 3)
        running.send_signal(name)
        assert running.wait(20) == 130
        assert running.stdout.read().startswith(b"stopped: sent 2 messages to ")


@pytest.mark.broker
def test_another_topic_is_written_to_only_if_it_is_there(file: Path, topic: Callable[..., str], client: Client) -> None:
    other = topic("other")
    refused = publish(file, "--topic", other, given=b"{}\n")
    assert (refused.returncode, refused.stderr) == (
        1,
        f"HR211 no topic {other!r}; create it; only the pipeline's own topics are made\n",
    )
    assert client.partitions(other) == 0
    client.make_topic(other)
    assert publish(file, "--topic", other, given=b"{}\n").returncode == 0
    assert len(client.all(other)) == 1
    assert client.partitions(topic()) == 0


@pytest.mark.broker
@pytest.mark.provokes("HR212")
def test_a_topic_that_is_not_as_the_plan_says_is_refused(file: Path, topic: Callable[..., str], client: Client) -> None:
    client.make_topic(topic(), partitions=3)
    outcome = publish(file, given=b"{}\n")
    assert outcome.returncode == 1
    assert f":3:16 HR212 topic {topic()!r} has 3 partitions, the plan says 1" in outcome.stderr


@pytest.mark.provokes("HR201")
def test_a_broker_that_is_not_there_is_one_line(tmp_path: Path, pipeline_file: Path) -> None:
    text = pipeline_file.read_text() + 'broker: {bootstrap: "127.0.0.1:1"}\n'
    pipeline_file.write_text(text)
    outcome = publish(pipeline_file, given=b"{}\n")
    assert (outcome.returncode, outcome.stdout) == (1, "")
    assert outcome.stderr.startswith("HR201 no Kafka broker answers at 127.0.0.1:1 ")
    assert len(outcome.stderr.splitlines()) == 1


@pytest.mark.broker
@pytest.mark.provokes("HR201")
def test_a_broker_that_freezes_is_told_with_what_is_certain(broker_home: Path, pipeline_file: Path) -> None:
    """The broker is stopped with SIGSTOP: it still takes connections, and answers nothing."""
    from headrace.streams.broker import start as start_broker

    running = start_broker(broker_home, port=0)
    program = (
        "import headrace.streams.client.publisher as p, sys; p._STALL_S = 2.0;"
        "from headrace.streams.cli.main import main; main(sys.argv[1:])"
    )
    command = [sys.executable, "-c", program, "publish", str(pipeline_file)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    client = Client(running.bootstrap)
    seed(client, "reviews")
    with subprocess.Popen(command, **pipes) as sending:  # type: ignore[call-overload]
        sending.stdin.write(b'{"text": "a"}\n')
        sending.stdin.flush()
        client.first("reviews", 2)
        os.kill(running.pid, signal.SIGSTOP)
        try:
            sending.stdin.write(b'{"text": "b"}\n')
            sending.stdin.close()
            said = sending.stderr.read().decode()
            assert sending.wait(60) == 1
        finally:
            os.kill(running.pid, signal.SIGCONT)
    assert "HR201 the broker at " in said
    assert "messages that are there: 1, that may or may not be there: 1; start the broker, then publish" in said


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (("--rate", "0"), "'0' is no rate; write messages a second, such as 100/s"),
        (("--rate", "fast"), "'fast' is no rate"),
        (("--format", "text", "--key", "a"), "lines of text have no fields"),
        (("--text-column", "a"), "--text-column is for CSV"),
        (("--format", "xml"), "'xml' is not one of"),
    ],
)
def test_wrong_usage_ends_with_2_before_anything_is_asked(
    headrace: Headrace, pipeline_file: Path, words: tuple[str, ...], fault: str
) -> None:
    outcome = headrace("publish", pipeline_file, *words)
    assert (outcome.code, fault in outcome.err) == (2, True)


def test_a_source_that_is_not_there_is_refused_before_a_broker_is_asked(
    headrace: Headrace, pipeline_file: Path
) -> None:
    outcome = headrace("publish", pipeline_file, "none.jsonl")
    assert (outcome.code, outcome.err) == (
        1,
        "HR432 cannot read 'none.jsonl': no such file or directory; check the path; - is stdin\n",
    )


@pytest.mark.broker
def test_a_terminal_sees_the_count_grow(file: Path) -> None:
    screen, stderr = os.openpty()
    shown, counts = b"", list[int]()
    with start(file, stderr=stderr) as running:
        os.close(stderr)
        assert running.stdin
        while len(set(counts)) < 5:  # it is drawn ten times a second, whatever comes
            running.stdin.write(b"{}\n")
            running.stdin.flush()
            shown += os.read(screen, 4096)
            counts = [int(found) for found in re.findall(rb"(\d+) sent", shown)]
        running.stdin.close()
        assert list(_until_closed(screen))
        assert running.wait(20) == 0
    assert counts == sorted(counts)


def _until_closed(screen: int) -> Iterator[bytes]:
    while True:
        try:
            yield os.read(screen, 65536)
        except OSError:  # Linux's way to say that the other side of a terminal is closed
            os.close(screen)
            return
