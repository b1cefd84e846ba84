"""The hash of a plan: equal exactly when records would be treated the same."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from headrace.core.plan.plan import Plan

Compile = Callable[..., Plan]


def test_a_hash_is_twelve_hex_digits_and_the_same_every_time(compiled: Compile, minimal: str) -> None:
    first, second = compiled(minimal).hash, compiled(minimal).hash
    assert first == second
    assert len(first) == 12
    assert int(first, 16) >= 0


@pytest.mark.parametrize(
    "addition",
    [
        "# a comment\n",
        "delivery: {retries: 7, commit_every: 1s}\n",
        "batch: {max_records: 3}\n",
        "topics: {partitions: 3, replication: 1}\n",
        "broker: {bootstrap: kafka:9092}\n",
        "preprocess: []\n",
        "route: {single: {model: quick}}\n",
    ],
)
def test_what_changes_only_when_and_how_often_keeps_the_hash(compiled: Compile, minimal: str, addition: str) -> None:
    assert compiled(minimal + addition).hash == compiled(minimal).hash


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("pipeline: reviews", "pipeline: others"),
        ("text: body", "text: text"),
        ("text: body", "text: body, unit: user"),
        ("text: body", "text: body, max_bytes: 5"),
        ("topic: reviews,", "topic: others,"),
        ("text: body", "text: body, codec: cloudevents"),
        ("quick:", "slow:"),
        ("lexicon", "{stored: {model: a}}"),
        ("reviews.scored", "reviews.results"),
        ("name: reviews.scored", "name: reviews.scored, when: 'true'"),
        ("models:", "preprocess: [normalise]\nmodels:"),
        ("models:", "postprocess: [labels]\nmodels:"),
    ],
)
def test_what_changes_a_result_changes_the_hash(compiled: Compile, minimal: str, old: str, new: str) -> None:
    assert compiled(minimal.replace(old, new, 1)).hash != compiled(minimal).hash


def test_other_files_behind_the_same_model_name_change_the_hash(compiled: Compile, minimal: str) -> None:
    one, other = (minimal.replace("lexicon", f"{{stored: {{model: a, hash: '{digest}'}}}}") for digest in "12")
    assert compiled(one).hash != compiled(other).hash


def test_the_order_of_steps_counts(compiled: Compile, minimal: str) -> None:
    one = compiled(minimal + "postprocess: [labels, {labels: {threshold: 0.1}}]\n")
    other = compiled(minimal + "postprocess: [{labels: {threshold: 0.1}}, labels]\n")
    assert one.hash != other.hash
