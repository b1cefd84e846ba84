"""`headrace status`: what is known of a pipeline, for people and for programs."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from headrace.core.wire.heartbeat import Heartbeat, encode_heartbeat
from tests.support.controlled import Controlled

pytestmark = pytest.mark.broker

Headrace = Callable[..., Any]


def table(text: str, title: str) -> list[list[str]]:
    """Return the rows below a heading, cut at runs of blanks."""
    rows = text.partition(f"\n{title}\n")[2].partition("\n\n")[0].splitlines()
    return [[cell for cell in row.split("  ") if cell] for row in rows[1:]]


@pytest.fixture
def busy(controlled: Controlled) -> Controlled:
    """A pipeline with lag, pauses, stops and workers."""
    controlled.publish(5)
    controlled.client.commit(controlled.group, controlled.pipeline, {0: 2})
    controlled.write(
        ("paused/ingress", b'{"why": "re\\u001b[2Jst"}'),
        ("skip/ingress/0", b'{"from": 2, "until": 4}'),
        ("stopped/model/quick", b'{"why": "cost"}'),
        ("alias/reviews@prod", b'{"version": 2}'),
        ("ready/reviews@2/expert/h-0", b'{"ok": true}'),
    )
    controlled.client.make_topic(f"{controlled.pipeline}.main.heartbeat")
    beat = encode_heartbeat(Heartbeat(ready=False, why="broker away", plan="abc", waiting=1200, waiting_since="noon"))
    controlled.client.publish(f"{controlled.pipeline}.main.heartbeat", {"key": "w1", "value": beat})
    return controlled


def test_a_person_sees_what_waits_and_what_was_changed(headrace: Headrace, busy: Controlled) -> None:
    outcome = headrace("status", busy.file)
    assert (outcome.code, outcome.err) == (0, "")
    ((stage, reads, lag, oldest, members, state),) = (map(str.strip, row) for row in table(outcome.out, "Stages"))
    assert (stage, reads, lag, members) == ("ingress", busy.pipeline, "3", "0")
    assert oldest.endswith(" s")
    assert state == "paused: re\\x1b[2Jst"
    (waiting,) = table(outcome.out, "Partitions with lag or a skip")
    assert [cell.strip() for cell in waiting[:5]] == ["ingress", "0", "2", "5", "3"]
    assert waiting[-1].strip() == "2 to 3"
    (worker,) = table(outcome.out, "Workers")
    assert [worker[0].strip(), worker[3].strip()] == ["w1", "not ready: broker away"]
    assert [cell.strip() for cell in table(outcome.out, "Waiting at egress")[0]] == ["w1", "1,200", "noon", "-"]
    assert [cell.strip() for cell in table(outcome.out, "Stopped")[0]] == ["model", "quick", "cost"]
    assert [cell.strip() for cell in table(outcome.out, "Aliases moved")[0]] == ["reviews@prod", "2"]
    assert [cell.strip() for cell in table(outcome.out, "Model versions")[0]] == ["reviews@2", "expert", "h-0", "ready"]


def test_a_program_gets_all_of_it(headrace: Headrace, busy: Controlled) -> None:
    facts = json.loads(headrace("status", busy.file, "--json").out)
    assert facts["pipeline"] == busy.pipeline
    assert facts["has_run"] is True
    (stage,) = facts["stages"]
    assert (stage["stage"], stage["lag"], stage["paused"]) == ("ingress", 3, "re\x1b[2Jst")
    assert stage["partitions"][0]["skip"]["until"] == 4
    assert facts["stopped_models"] == {"quick": "cost"}
    assert facts["models"][0]["stages"] == {"expert": {"h-0": None}}


def test_a_pipeline_that_never_ran_is_said_to_be_one(headrace: Headrace, controlled: Controlled) -> None:
    name = f"{controlled.pipeline}-x"
    controlled.file.write_text(controlled.file.read_text().replace(controlled.pipeline, name))
    outcome = headrace("status", controlled.file)
    assert outcome.code == 0
    assert "This pipeline never ran on this broker." in outcome.out
    assert "its topic is not there yet" in outcome.out


def test_no_broker_is_exit_1_and_one_line(headrace: Headrace, controlled: Controlled) -> None:
    controlled.file.write_text(controlled.file.read_text().replace(controlled.bootstrap, "127.0.0.1:1"))
    outcome = headrace("status", controlled.file)
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.startswith("HR201 no Kafka broker answers at 127.0.0.1:1")
    assert outcome.err.count("\n") == 1


def test_watching_goes_on_until_ctrl_c(controlled: Controlled) -> None:
    words = [sys.executable, "-m", "headrace", "status", str(controlled.file), "--json", "--watch"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout
        assert [json.loads(child.stdout.readline())["stages"][0]["lag"] for _ in range(2)] == [0, 0]
        controlled.publish(4)
        while json.loads(child.stdout.readline())["stages"][0]["lag"] != 4:
            pass
        child.send_signal(signal.SIGINT)
        assert child.wait(20) == 130
        assert child.stderr
        assert child.stderr.read().strip() == ""


def test_a_watcher_waits_for_the_broker(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text(
        "headrace: 1\npipeline: p\ninput: {topic: p, text: body}\nmodels: {quick: lexicon}\n"
        "output: [{topic: {name: p.out}}]\nbroker: {bootstrap: '127.0.0.1:1'}\n"
    )
    words = [sys.executable, "-m", "headrace", "status", str(file), "--watch"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stderr
        assert [child.stderr.readline()[:5] for _ in range(2)] == ["HR201", "HR201"]
        child.send_signal(signal.SIGINT)
        assert child.wait(20) == 130
