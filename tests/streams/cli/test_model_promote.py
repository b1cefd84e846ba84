"""`headrace model promote` against a broker on which a stranger takes the place of a worker."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer

from headrace.core.registry.folder import read_folder
from headrace.core.registry.store import Registry
from headrace.core.wire.control import AliasMove
from headrace.streams import promotion
from headrace.streams.access.connection import Connection
from headrace.streams.control.writer import set_settings
from headrace.streams.registry import default_location
from tests.support.client import until
from tests.support.controlled import Controlled
from tests.tiny_model import write_model

pytestmark = pytest.mark.broker

Headrace = Callable[..., Any]
READY = "ready/reviews@2/expert/w1"


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """A model of two versions in the state folder; `prod` is the first."""
    registry = Registry(default_location())
    for seed in (1, 2):
        source = read_folder(write_model(tmp_path / f"tiny{seed}", seed=seed))
        registry.add(source, "reviews", alias="prod" if seed == 1 else None)
    return registry


@pytest.fixture
def expert(controlled: Controlled, registry: Registry) -> Controlled:
    """A pipeline that uses `reviews@prod`."""
    lines = controlled.file.read_text().splitlines()
    models = f"models: {json.dumps({'expert': {'onnx': {'model': 'reviews@prod'}}})}"
    controlled.file.write_text("\n".join(models if line.startswith("models:") else line for line in lines) + "\n")
    controlled.client.committed(
        controlled.group, controlled.pipeline
    )  # waits until a new broker can be asked for groups
    return controlled


@contextmanager
def member(controlled: Controlled) -> Iterator[None]:
    """Be in the group of the workers, as the worker w1 would be, that never does anything."""
    settings = {
        "bootstrap.servers": controlled.bootstrap,
        "group.id": f"{controlled.pipeline}.main.app",
        "client.id": f"headrace-{controlled.pipeline}-w1-faust",
        "log_level": 0,
    }
    consumer = Consumer(settings)
    try:
        consumer.subscribe([controlled.pipeline])
        until("membership", lambda: consumer.poll(0.1) is None and consumer.assignment())
        stop = threading.Event()
        thread = threading.Thread(target=lambda: [consumer.poll(0.1) for _ in iter(stop.is_set, True)])
        thread.start()
        yield
        stop.set()
        thread.join()
    finally:
        consumer.close()


def test_a_pipeline_that_does_not_run_takes_the_version_when_it_starts(
    headrace: Headrace, expert: Controlled, registry: Registry
) -> None:
    outcome = headrace("model", "promote", expert.file, "reviews@2", "--why", "better")
    assert (outcome.code, outcome.out) == (
        0,
        "promoted reviews@prod is reviews@2: the pipeline does not run; its next start takes it\n",
    )
    assert expert.settings()["alias/reviews@prod"] == {"version": "2", "before": ""}
    assert registry.aliases("reviews") == {"prod": 2}
    assert expert.client.all(expert.audit)[-1].body["why"] == "better"


@pytest.mark.provokes("HR231")
def test_a_worker_that_does_not_follow_in_time_keeps_the_alias_where_it_was(
    headrace: Headrace, expert: Controlled, registry: Registry
) -> None:
    with member(expert):
        outcome = headrace("model", "promote", expert.file, "reviews@2", "--timeout", "1")
    assert outcome.code == 1
    assert "HR231 not within 1 s: w1 loads reviews@2 for expert" in outcome.err
    assert expert.settings()["alias/reviews@prod"] == {"version": "1", "before": ""}
    assert registry.aliases("reviews") == {"prod": 1}


def test_a_worker_that_cannot_load_the_version_ends_the_move_with_its_reason(
    headrace: Headrace, expert: Controlled, registry: Registry
) -> None:
    def refuse() -> None:
        until("the move", lambda: expert.settings().get("alias/reviews@prod"))
        expert.write((READY, b'{"ok": false, "why": "no memory"}'))

    worker = threading.Thread(target=refuse)
    with member(expert):
        worker.start()
        outcome = headrace("model", "promote", expert.file, "reviews@2")
    worker.join()
    assert outcome.code == 1
    assert "HR231 w1 cannot run expert with reviews@2: no memory" in outcome.err
    assert expert.settings()["alias/reviews@prod"] == {"version": "1", "before": ""}


@pytest.mark.parametrize("is_written", [False, True])
def test_a_move_that_is_broken_off_when_all_have_followed_is_taken_back(
    headrace: Headrace, expert: Controlled, registry: Registry, monkeypatch: pytest.MonkeyPatch, is_written: bool
) -> None:
    """Ctrl-C as the last setting is written, or when it is and the broker has not answered yet."""
    told: list[object] = []

    async def interrupted(connection: Connection, pipeline: str, changes: Any, **words: str) -> object:
        told.append(changes["alias/reviews@prod"])
        if len(told) != 2:
            return await set_settings(connection, pipeline, changes, **words)
        if is_written:
            await set_settings(connection, pipeline, changes, **words)
        signal.raise_signal(signal.SIGINT)
        return await asyncio.Future()

    def follow() -> None:
        until("the move", lambda: expert.settings().get("alias/reviews@prod"))
        expert.write((READY, b'{"ok": true}'), ("switched/reviews@2/w1", b"{}"))

    monkeypatch.setattr(promotion, "set_settings", interrupted)
    worker = threading.Thread(target=follow)
    with member(expert):
        worker.start()
        outcome = headrace("model", "promote", expert.file, "reviews@2")
    worker.join()
    assert outcome.code == 130
    assert "\ntaken back: reviews@prod is reviews@1\n" in outcome.err
    assert told[1] == AliasMove(version="2"), "all had followed"
    assert expert.settings()["alias/reviews@prod"] == {"version": "1", "before": ""}
    assert registry.aliases("reviews") == {"prod": 1}


def test_what_a_worker_said_of_the_version_long_ago_does_not_count(
    headrace: Headrace, expert: Controlled, registry: Registry
) -> None:
    expert.write((READY, b'{"ok": true}'), ("switched/reviews@2/w1", b"{}"))
    with member(expert):
        outcome = headrace("model", "promote", expert.file, "reviews@2", "--timeout", "1")
    assert "w1 loads reviews@2 for expert" in outcome.err
    assert expert.settings()[READY] is None


def test_an_alias_or_a_version_that_there_is_not_is_refused(
    headrace: Headrace, expert: Controlled, registry: Registry
) -> None:
    outcome = headrace("model", "promote", expert.file, "reviews@2", "--alias", "prodd")
    assert outcome.code == 1
    assert "HR439 no model of the pipeline is 'reviews@prodd'" in outcome.err
    outcome = headrace("model", "promote", expert.file, "reviews@7")
    assert outcome.code == 1
    assert "HR303" in outcome.err
    assert "alias/reviews@prod" not in expert.settings()
