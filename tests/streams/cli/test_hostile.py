"""Results, dead letters, settings and signs of life that a stranger wrote to take over the reader's terminal."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from headrace.core.wire.heartbeat import Heartbeat, encode_heartbeat
from tests.support.client import Client
from tests.support.controlled import Controlled

if TYPE_CHECKING:
    from headrace.streams.broker import Running

pytestmark = pytest.mark.broker

EVIL = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202egnp<script>alert(1)</script>\r\nforged line"


def headrace(*words: str) -> list[str]:
    """Run a command that must end well, and return its lines; none of them may act on a terminal."""
    command = [sys.executable, "-m", "headrace", *words]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()
    for stream in (done.stdout, done.stderr):
        for line in stream.decode().split("\n"):
            assert line.isprintable(), ascii(line)
    return done.stdout.decode().split("\n")[:-1]


@pytest.fixture
def letters(kafka: Running, topic: Callable[..., str], tmp_path: Path) -> tuple[Path, int]:
    """A pipeline whose topics hold what no Headrace wrote, and how many messages that are."""
    client, name = Client(kafka.bootstrap), topic()
    file = tmp_path / "pipeline.yaml"
    file.write_text(
        f"headrace: 1\npipeline: {name}\ninput: {{topic: {name}, text: text}}\nmodels: {{quick: lexicon}}\n"
        f"output: [{{topic: {{name: {name}.out}}}}]\nbroker: {{bootstrap: '{kafka.bootstrap}'}}\n"
    )
    timings = {"timings": {"total": 1.5}, "status": "ok", "model": EVIL, "key": EVIL}
    evil = EVIL.encode()
    results = [
        {"value": json.dumps({**timings, "output": {"label": EVIL, "score": 0.5}}), "key": evil},
        {"value": json.dumps({**timings, "output": EVIL}), "key": b"\xff\x1b[31m"},
        {"value": json.dumps({**timings, "status": EVIL, "reason": EVIL, "output": None})},
        {"value": json.dumps({**timings, "output": {"label": "x", "score": 10**400}})},
        {"value": b"[" * 5_000 + b"]" * 5_000, "key": None},
        {"value": evil, "timestamp": 2**60},
        {"value": b"\x1b\xff\xfe", "key": b"k"},
    ]
    reasons = {
        "headrace.time": EVIL,
        "headrace.code": EVIL,
        "headrace.attempt": "9" * 5_000,
        "headrace.output": EVIL,
        "__streams.errors.message": EVIL,
        "__streams.errors.topic": EVIL,
        "__streams.errors.partition": "9" * 5_000,
        "__streams.errors.offset": "²",
    }
    dead: list[dict[str, Any]] = [
        {"value": evil, "key": evil, "headers": [(key, value.encode()) for key, value in reasons.items()]},
        {"value": None, "key": None, "headers": [("headrace.code", b"\xff\x1b")], "timestamp": 2**60},
        {"value": evil, "headers": [(EVIL, evil)]},
    ]
    for name_, messages in ((f"{name}.out", results), (f"{name}.dead", dead)):
        client.make_topic(name_, message_timestamp_after_max_ms=str(2**63 - 1))
        client.publish(name_, *messages)
    return file, len(results) + len(dead)


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_tail_shows_every_message_and_obeys_none(letters: tuple[Path, int], form: tuple[str, ...]) -> None:
    file, count = letters
    lines = headrace("tail", str(file), "--from-start", "--count", str(count), *form)
    assert len(lines) == count
    if form:
        assert EVIL in [json.loads(line).get("value") for line in lines]


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_status_shows_settings_and_workers_and_obeys_none(controlled: Controlled, form: tuple[str, ...]) -> None:
    why = json.dumps({"why": EVIL}).encode()
    controlled.write(
        ("paused/ingress", why),
        ("stopped/model/quick", why),
        (f"stopped/experiment/{EVIL}", why),
        (f"alias/{EVIL}@prod", b'{"version": "2"}'),
        (f"ready/{EVIL}@2/expert/{EVIL}", json.dumps({"ok": False, "why": EVIL}).encode()),
    )
    topic = f"{controlled.pipeline}.main.heartbeat"
    controlled.client.make_topic(topic)
    beat = Heartbeat(
        time="now", plan=EVIL, group=EVIL, ready=False, why=EVIL, host=EVIL, pid=1, stages=[EVIL], versions={}
    )
    controlled.client.publish(topic, {"key": EVIL.encode(), "value": encode_heartbeat(beat)})
    shown = "\n".join(headrace("status", str(controlled.file), *form))
    assert "owned" in shown
    if form:
        assert json.loads(shown)["stages"][0]["paused"] == EVIL
