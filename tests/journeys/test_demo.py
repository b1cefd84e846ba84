"""The demo, whole: real downloads, a real training, a real Kafka; and its file with a client that knows no Headrace."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from headrace.streams.broker import Running
from tests.support.client import Client, Seen
from tests.support.worker import Worker

pytestmark = [pytest.mark.broker, pytest.mark.timeout(900)]

PROMISES = 6


def test_the_demo_keeps_its_promises_and_a_foreign_client_gets_the_same_results(
    kafka: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADRACE_BROKER", kafka.bootstrap)
    _demo(tmp_path)
    client = Client(kafka.bootstrap)
    by_demo = _by_review(client.all("reviews.scored"))
    reviews = [json.loads(line) for line in (tmp_path / "demo" / "reviews.jsonl").read_text().splitlines()]
    assert by_demo.keys() == {review["id"] for review in reviews}
    by_stranger = _published_by_a_stranger(client, tmp_path, reviews)
    assert by_stranger.keys() == by_demo.keys()
    for review, value in by_stranger.items():
        assert _said(value) == _said(by_demo[review]), review
        assert value["output"]["score"] == pytest.approx(by_demo[review]["output"]["score"], abs=1e-5)
    _assert_sharded_agrees(client, tmp_path, by_demo)
    again = _demo(tmp_path)  # its records are told from those of the runs before, which lie in the same topics
    assert "fetching" not in again.stderr


def _assert_sharded_agrees(client: Client, folder: Path, by_demo: dict[str, dict[str, Any]]) -> None:
    """The same reviews through three processes: what the transformer says of one does not depend on where it runs."""
    done = _demo(folder, "--shards", "2", promises=PROMISES + 2)
    table = done.stdout.partition("experiment   expert-first, phase 1\n")[2].splitlines()[1:3]
    assert [line.split()[0] for line in table] == ["control", "treatment"]
    assert sum(int(line.split()[1].replace(",", "")) for line in table) == len(by_demo)
    by_shards = _by_review(client.all("reviews.scored"))
    assert by_shards.keys() == by_demo.keys()
    both = [review for review in by_demo if by_demo[review]["model"] == by_shards[review]["model"] == "expert"]
    assert len(both) > len(by_demo) / 2
    for review in both:
        assert by_shards[review]["output"]["label"] == by_demo[review]["output"]["label"]
        assert by_shards[review]["output"]["score"] == pytest.approx(by_demo[review]["output"]["score"], abs=1e-5)


def _demo(folder: Path, *words: str, promises: int = PROMISES) -> subprocess.CompletedProcess[str]:
    words = (sys.executable, "-m", "headrace", "demo", *words)
    done = subprocess.run(words, cwd=folder, env=dict(os.environ), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    assert done.stdout.count("\nok  ") == promises, done.stdout
    return done


def _published_by_a_stranger(client: Client, folder: Path, reviews: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Publish the reviews again as a plain Kafka client would, and return the results by review."""
    sent = client.publish(
        "reviews", *({"key": review["user"].encode(), "value": json.dumps(review).encode()} for review in reviews)
    )
    review_at = {position: review["id"] for position, review in zip(sent, reviews, strict=True)}
    worker = Worker(folder / "demo" / "pipeline.yaml", folder / "run.log").ready()
    try:
        results = client.first("reviews.scored", 2 * len(reviews), patience_s=120)
    finally:
        assert worker.terminate() == 0
    bodies = [seen.body for seen in results]
    return {review_at[body["id"]]: body for body in bodies if body["id"] in review_at}


def _by_review(results: list[Seen]) -> dict[str, dict[str, Any]]:
    """Return the results of the last demo, by review; their ids begin with the run's name, which holds its time."""
    ids = [seen.body["id"].partition("|") for seen in results if "|" in seen.body["id"]]
    last = max(run for run, _, _ in ids)
    bodies = {seen.body["id"]: seen.body for seen in results}
    return {review: bodies[f"{run}|{review}"] for run, _, review in ids if run == last}


def _said(value: dict[str, Any]) -> tuple[str, str, list[str]]:
    return value["output"]["label"], value["model"], value["route"]["path"]
