"""Many texts through a graph: whole, in order, whatever the tokenizer's author left on."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from headrace.streams.demo import encoder as module
from headrace.streams.demo.encoder import Encoder
from headrace.streams.demo.graph import add_pooling
from tests.streams.demo.sources import encoder, tokenizer


@pytest.fixture
def small_encoder(tmp_path: Path) -> Encoder:
    return Encoder(add_pooling(encoder()), tokenizer(tmp_path))


def test_rows_come_in_the_order_of_the_texts_though_the_longest_are_read_first(small_encoder: Encoder) -> None:
    texts = [f"{'film ' * (at % 7)}good {at}" for at in range(40)]
    rows = small_encoder.run(texts)
    for at in (0, 6, 17, 39):
        np.testing.assert_allclose(rows[at], small_encoder.run([texts[at]])[0], atol=1e-5)


def test_progress_is_told_up_to_the_last_text(small_encoder: Encoder) -> None:
    told: list[tuple[int, int]] = []
    small_encoder.run(["good"] * 35, lambda done, total: told.append((done, total)))
    assert told == [(16, 35), (32, 35), (35, 35)]


def test_the_tokenizers_own_padding_and_truncation_do_not_count(small_encoder: Encoder) -> None:
    """The tokenizer here truncates to 4 tokens: without its end the second text would be the first."""
    one, other = small_encoder.run(["a film the a was good", "a film the a was bad"])
    assert abs(one - other).max() > 1e-3


def test_a_text_ends_at_256_tokens(small_encoder: Encoder) -> None:
    long, longer, short = small_encoder.run(["film " * 254 + "good", "film " * 254 + "bad", "film " * 253 + "good"])
    np.testing.assert_allclose(long, longer, atol=1e-5)
    assert abs(long - short).max() > 1e-4


def test_threads_are_those_that_the_process_may_use() -> None:
    assert module._cores() == len(os.sched_getaffinity(0))
