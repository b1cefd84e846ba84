"""Pipelines for journeys: real files, real child processes, the suite's real Kafka."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from headrace.streams.broker import Running
from tests.support.pipeline import Pipeline
from tests.support.secured import Secured

MakePipeline = Callable[[str], Pipeline]


@pytest.fixture(scope="session")
def make_pipeline(kafka: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakePipeline]:
    """Make a pipeline with a name that begins as asked and that no other has."""
    made: list[Pipeline] = []

    def make(stem: str) -> Pipeline:
        made.append(Pipeline(tmp_path_factory.mktemp(stem), f"{stem}-{secrets.token_hex(3)}", kafka.bootstrap))
        return made[-1]

    yield make
    for pipeline in made:
        pipeline.close()


@pytest.fixture
def pipeline(make_pipeline: MakePipeline) -> Iterator[Pipeline]:
    """A pipeline of the test's own; its workers end with the test, and a failed test shows their last words."""
    with ending(make_pipeline("test")) as made:
        yield made


@pytest.fixture
def guarded(secured: Secured, tmp_path: Path, topic: Callable[[], str]) -> Iterator[Pipeline]:
    """A pipeline on a broker with rules; its file says nothing of the broker, the environment of each worker does."""
    with ending(Pipeline(tmp_path, topic(), secured.node.bootstrap)) as made:
        made.write(broker=None)
        yield made


@contextmanager
def ending(pipeline: Pipeline) -> Iterator[Pipeline]:
    """Kill a pipeline's workers at the end and print their last lines, which pytest shows when the test failed."""
    try:
        yield pipeline
    finally:
        pipeline.close()
        for number, worker in enumerate(pipeline.workers, 1):
            print(f"--- worker {number}:", *worker.lines[-15:], sep="\n")
