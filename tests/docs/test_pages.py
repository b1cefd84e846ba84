"""Every code block of README and docs is proven, in the order of its page.

It would prove nothing if no block were found; the blocks that a newcomer meets first are named for that.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.docs.blocks import PAGES, ROOT, Block, read_blocks
from tests.docs.output import agrees, begins
from tests.docs.playground import Playground
from tests.tiny_model import write_model

if TYPE_CHECKING:
    from headrace.streams.broker import Running

LIVE = ("python", "console")
WITH_BLOCKS = [page for page in PAGES if read_blocks(page)]


def params() -> list[object]:
    found: list[object] = []
    for page in WITH_BLOCKS:
        live = any(block.language in LIVE and "no-run" not in block.settings for block in read_blocks(page))
        name = str(page.relative_to(ROOT))
        found.append(pytest.param(page, id=name, marks=[pytest.mark.broker] if live else []))
    return found


@pytest.fixture
def playground(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Playground]:
    needs_kafka = request.node.get_closest_marker("broker") is not None
    kafka: Running | None = request.getfixturevalue("kafka") if needs_kafka else None
    ground = Playground(tmp_path, kafka.bootstrap if kafka else "127.0.0.1:1")
    register_reviews_model(ground.home / "registry", tmp_path)
    yield ground
    ground.close()


def register_reviews_model(registry: Path, folder: Path) -> None:
    """Register a tiny model as `reviews@prod`, which the pages name: the demo trains the real one."""
    from headrace.core.registry.folder import read_folder
    from headrace.core.registry.store import Registry

    config = {"id2label": {"0": "negative", "1": "positive"}, "max_position_embeddings": 64}
    source = write_model(folder / "model", config=config, layers=4)
    Registry(str(registry)).add(read_folder(source), "reviews", alias="prod")


@pytest.mark.parametrize("page", params())
def test_every_block_of_a_page_is_true(page: Path, playground: Playground) -> None:
    for block in read_blocks(page):
        playground.prove(block)


def test_the_blocks_that_a_newcomer_meets_first_are_found() -> None:
    languages = {page.name: [block.language for block in read_blocks(page)] for page in PAGES}
    assert {"console", "yaml", "json"} <= set(languages["README.md"])
    assert {"console", "python"} <= set(languages["getting-started.md"])


def block(language: str, text: str, *words: str, **settings: str) -> Block:
    return Block(Path("planted.md"), 3, language, frozenset(words), settings, text)


@pytest.mark.parametrize(
    "false",
    [
        block("yaml", "headrace: 1\npipeline: a\n"),
        block("yaml", "batch: {max_records: none}\n", "fragment"),
        block("python", "raise SystemExit(3)\n"),
        block("console", "$ echo one\ntwo\n"),
        block("console", "$ echo one; sleep 9\none\ntwo\n", "background"),
        block("console", "echo one\n"),
        block("json", "{}\n", "result"),
        block("json", "{}\n"),
        block("bash", "pip install headrace\n"),
        block("bash", "pip install headrace\n", **{"no-run": ""}),
        block("", "text\n"),
    ],
    ids=lambda false: f"{false.language} {false.text[:20]!r}",
)
def test_a_block_that_is_not_true_fails(false: Block, tmp_path: Path) -> None:
    ground = Playground(tmp_path, "127.0.0.1:1", patience_s=3)
    with pytest.raises(AssertionError, match=r"planted\.md:3"):
        ground.prove(false)
    ground.close()


def test_three_dots_stand_for_text_or_for_lines() -> None:
    assert agrees("at 10:00:... ready\n", "at 10:00:31 ready\n")
    assert agrees("one\n...\nlast\n", "one\ntwo\nthree\nlast\n")
    assert agrees("one\n...\nlast\n", "one\nlast\n")
    assert agrees("...\n", "")
    assert agrees("", "")
    assert not agrees("", "surprise\n")
    assert not agrees("one\n", "one\ntwo\n")
    assert not agrees("one...", "two\n")
    assert begins("...\nready\n", "warming up\nready\nserving\n")
    assert not begins("...\nready\n", "warming up\nread")
