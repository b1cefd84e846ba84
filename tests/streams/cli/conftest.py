"""The command line inside this process: faster than a child, and what it prints is caught all the same."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from headrace.streams.cli.main import main


class Outcome(NamedTuple):
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


@pytest.fixture
def headrace(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., Outcome]]:
    """Run `headrace WORDS...`."""

    def run(*words: str | Path) -> Outcome:
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main([str(word) for word in words])
        said = capsys.readouterr()
        return Outcome(int(end.value.code or 0), said.out, said.err)

    levels = {name: logging.getLogger(name).level for name in ("aiokafka", "kafka")}
    yield run
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.fixture
def pipeline_file(tmp_path: Path) -> Path:
    """A pipeline of the built-in steps, as people write them."""
    file = tmp_path / "reviews.yaml"
    file.write_text("""\
headrace: 1
pipeline: reviews
input: {topic: reviews, text: body, unit: user}
preprocess: [normalise]
models:
  quick: lexicon
  slow: {lexicon: {characters: 500}}
route: {cascade: {order: [quick, slow], accept: 0.9}}
postprocess: [{labels: {threshold: 0.6, otherwise: unsure}}]
output:
  - topic: {name: reviews.scored}
  - topic: {name: reviews.alerts, when: "output.label == 'negative'", partitions: 2}
""")
    return file
