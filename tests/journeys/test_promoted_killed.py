"""Workers that are killed while a model is promoted: every record ends by exactly one version, none dead, none lost.

It would prove nothing if the kill came before or after the moment that it is meant for: each test holds the promotion
there, by a version that takes until it is told to load, or by stopping the command that watches over it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from headrace.core.registry.folder import read_folder
from headrace.core.registry.store import Registry
from tests.support.client import until
from tests.support.pipeline import Pipeline
from tests.support.worker import PLUGINS, Worker
from tests.tiny_model import write_model

pytestmark = [pytest.mark.broker, pytest.mark.timeout(400)]

APART = {"front": {"stages": ["ingress"]}, "expert": {"models": ["expert"]}}
GROUPS = ("front", "expert", "main")
ALIAS = "alias/reviews@prod"


class Promoted:
    """A pipeline of three workers, a second version of its model, and what holds that from being loaded."""

    def __init__(self, pipeline: Pipeline, folder: Path) -> None:
        self.pipeline, self.gate = pipeline, folder / "go"
        self.ids: list[str] = []
        held = {"model": "reviews@prod", "file": str(self.gate), "version": "reviews@2"}
        pipeline.write(models={"expert": {"held": held}}, groups=APART)
        self.workers = pipeline.run_groups(*GROUPS)

    def publish(self, count: int = 20) -> list[str]:
        """Publish so many records."""
        at = len(self.ids)
        self.ids += (new := self.pipeline.publish(*(f"a good film {at + more}" for more in range(count))))
        return new

    def routed(self) -> None:
        """Wait until ingress has committed everything that was published."""
        until("an end of the input", lambda: not self.pipeline.client.lag(self.pipeline.group, self.pipeline.input))

    def settings(self) -> dict[str, Any]:
        """The newest value of each key of the control topic; None for one that was taken away."""
        return {
            (seen.key or b"").decode(): seen.body for seen in self.pipeline.client.all(f"{self.pipeline.name}.control")
        }

    def says(self, key: str, count: int = 1) -> None:
        """Wait until a key was written so often with a value."""
        topic, wanted = f"{self.pipeline.name}.control", key.encode()
        until(
            f"{count} of {key}",
            lambda: len([one for one in self.pipeline.client.all(topic) if one.key == wanted and one.value]) >= count,
        )

    def loading(self) -> bool:
        """Whether the second version is being loaded, and held there."""
        return Path(f"{self.gate}.held").exists()

    def close_gate(self) -> None:
        """Hold the second version again when it is loaded the next time."""
        for file in (self.gate, Path(f"{self.gate}.held")):
            file.unlink()

    def kill(self, group: str) -> None:
        """SIGKILL the worker of a group."""
        self.workers[group].kill()

    def again(self, group: str) -> Worker:
        """Start the worker of a group anew, by the same name; it need not be ready yet."""
        self.workers[group] = self.pipeline.start("--group", group, "--worker", "w1")
        return self.workers[group]

    def served(self) -> dict[str, str]:
        """The version that served each record; every record ended by a result, a copy by the same version."""
        results, dead = self.pipeline.ended()
        assert [(letter.header("headrace.code"), letter.body) for letter in dead] == []
        versions: dict[str, set[str]] = {}
        for seen in results:
            versions.setdefault(seen.body["id"], set()).add(seen.body["version"])
        assert versions.keys() == set(self.ids)
        assert [found for found in versions.values() if len(found) > 1] == []
        return {record: found.pop() for record, found in versions.items()}

    def served_now(self) -> list[str]:
        """The versions that serve some new records."""
        new = self.publish(5)
        served = self.served()
        return [served[record] for record in new]


@pytest.fixture
def promoted(pipeline: Pipeline, tmp_path: Path) -> Promoted:
    registry = Registry(str(tmp_path / "headrace-home" / "registry"))
    for seed in (1, 2):
        source = read_folder(write_model(tmp_path / f"tiny{seed}", seed=seed))
        registry.add(source, "reviews", alias="prod" if seed == 1 else None)
    return Promoted(pipeline, tmp_path)


class Promotion:
    """`headrace model promote`, which can be held while the workers go on."""

    def __init__(self, promoted: Promoted, version: int) -> None:
        self.promoted = promoted
        command = [sys.executable, "-m", "headrace", "model", "promote", str(promoted.pipeline.file)]
        self.process = subprocess.Popen(
            [*command, f"reviews@{version}"],
            cwd=promoted.pipeline.folder,
            env={**os.environ, "PYTHONPATH": str(PLUGINS)},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def hold(self) -> None:
        """Stop it as soon as it has moved the alias: nobody tells the registry, or looks whether workers follow."""
        self.promoted.says(ALIAS)
        self.process.send_signal(signal.SIGSTOP)

    def end(self) -> str:
        """Let it go on; it must succeed."""
        self.process.send_signal(signal.SIGCONT)
        out, _ = self.process.communicate(timeout=90)
        assert self.process.returncode == 0, out
        return out


@contextmanager
def promoting(promoted: Promoted, version: int = 2) -> Iterator[Promotion]:
    """Promote a version meanwhile; it is over at the end, one way or another."""
    promotion = Promotion(promoted, version)
    try:
        yield promotion
    finally:
        promotion.process.kill()
        promotion.process.wait(10)


def test_an_ingress_killed_before_the_models_are_ready_goes_on_with_the_old_version(promoted: Promoted) -> None:
    with promoting(promoted) as promotion:
        until("a version that loads", promoted.loading)
        promoted.kill("front")
        promoted.publish()
        promoted.again("front").ready()
        early = promoted.publish()
        promoted.routed()
        promoted.gate.touch()
        promotion.end()
    late = promoted.publish()
    served = promoted.served()
    assert {served[record] for record in early} == {"reviews@1"}
    assert {served[record] for record in late} == {"reviews@2"}


def test_workers_killed_after_ingress_switched_stay_with_the_new_version(promoted: Promoted) -> None:
    promoted.gate.touch()
    with promoting(promoted) as promotion:
        promotion.hold()
        promoted.says("switched/reviews@2/w1")
        promoted.kill("front")
        promoted.kill("expert")
        after = promoted.publish()
        promoted.again("front").ready()
        promoted.routed()
        promoted.again("expert").ready()
        promotion.end()
    served = promoted.served()
    assert {served[record] for record in after} == {"reviews@2"}


def test_an_ingress_killed_under_load_at_the_moment_of_the_switch_gives_no_record_two_versions(
    promoted: Promoted,
) -> None:
    promoted.gate.touch()
    stop = threading.Event()

    def load() -> None:
        while not stop.is_set():
            promoted.publish(10)

    thread = threading.Thread(target=load)
    thread.start()
    try:
        with promoting(promoted) as promotion:
            promotion.hold()
            promoted.says("switched/reviews@2/w1")
            promoted.kill("front")
            promoted.again("front").ready()
            promotion.end()
    finally:
        stop.set()
        thread.join()
    assert set(promoted.served().values()) == {"reviews@1", "reviews@2"}


def test_a_model_worker_killed_while_it_loads_comes_back_and_the_promotion_ends(promoted: Promoted) -> None:
    with promoting(promoted) as promotion:
        until("a version that loads", promoted.loading)
        promoted.kill("expert")
        early = promoted.publish()
        promoted.routed()
        promoted.again("expert").ready()
        promoted.gate.touch()
        promotion.end()
    late = promoted.publish()
    served = promoted.served()
    assert {served[record] for record in early} == {"reviews@1"}
    assert {served[record] for record in late} == {"reviews@2"}


def test_records_that_wait_for_the_old_version_have_it_after_a_restart(promoted: Promoted) -> None:
    promoted.gate.touch()
    file = str(promoted.pipeline.file)
    promoted.pipeline.headrace("pause", file, "--stage", "expert")
    until("the pause", lambda: "paused" in promoted.workers["expert"].get("readyz")[1])
    waiting = promoted.publish()
    promoted.routed()
    with promoting(promoted) as promotion:
        promotion.end()
    promoted.kill("expert")
    late = promoted.publish()
    again = promoted.again("expert")
    until("the pause", lambda: "paused" in again.get("readyz")[1])
    promoted.pipeline.headrace("resume", file)
    served = promoted.served()
    assert {served[record] for record in waiting} == {"reviews@1"}
    assert {served[record] for record in late} == {"reviews@2"}


def test_a_promotion_that_is_broken_off_after_ingress_switched_is_taken_back(promoted: Promoted) -> None:
    promoted.gate.touch()
    for version in (2, 1):
        with promoting(promoted, version) as promotion:
            promotion.end()
    until("the end of reviews@2 here", lambda: promoted.settings()["ready/reviews@2/expert/w1"] is None)
    promoted.close_gate()
    with promoting(promoted) as promotion:
        until("a version that loads", promoted.loading)
        promotion.process.send_signal(signal.SIGSTOP)
        promoted.gate.touch()
        promoted.says("switched/reviews@2/w1", 2)
        promoted.publish()
        promoted.routed()
        promotion.process.send_signal(signal.SIGINT)
        promotion.process.send_signal(signal.SIGCONT)
        assert promotion.process.wait(30) != 0
    assert promoted.settings()[ALIAS]["version"] == "1"
    until("the old version", lambda: set(promoted.served_now()) == {"reviews@1"})
    assert set(promoted.served().values()) == {"reviews@1", "reviews@2"}


def test_what_workers_said_that_are_gone_is_taken_away(promoted: Promoted) -> None:
    """By the promotion, for all groups; and by a worker that starts, for its own group."""
    promoted.gate.touch()
    said = {"ready/reviews@2/expert/w7": b'{"ok": true}', "switched/reviews@1/w8": b"{}"}
    messages = [{"key": key, "value": value} for key, value in said.items()]
    control = f"{promoted.pipeline.name}.control"
    promoted.pipeline.client.publish(control, *messages)
    with promoting(promoted) as promotion:
        promotion.end()
    left = {key for key, value in promoted.settings().items() if value is not None}
    assert not left & said.keys()
    assert {"ready/reviews@2/expert/w1", "switched/reviews@2/w1"} <= left
    promoted.kill("expert")
    promoted.pipeline.client.publish(control, *messages)
    promoted.again("expert").ready()
    until("the end of w7", lambda: promoted.settings()["ready/reviews@2/expert/w7"] is None)
    assert promoted.settings()["switched/reviews@1/w8"] is not None, "that is for the group of ingress to say"
    assert promoted.settings()["ready/reviews@2/expert/w1"] is not None
