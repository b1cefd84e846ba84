"""The head: exactly scikit-learn's decision, chosen without looking at anything held out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from headrace.streams.demo.train import Training, train

COUNT, SIZE = 300, 12


def data(seed: int = 0) -> tuple[Any, list[int]]:
    rng = np.random.default_rng(seed)
    scales = np.logspace(-3, 3, SIZE)
    embeddings = (rng.normal(size=(COUNT, SIZE)) * scales + 5 * scales).astype(np.float32)
    decided = embeddings / scales @ rng.normal(size=SIZE)
    return embeddings, [int(value > np.median(decided)) for value in decided]


@pytest.fixture(scope="module")
def training() -> Training:
    return train(*data())


def test_the_logits_are_half_of_scikit_learns_decision_each_way(training: Training) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    embeddings, classes = data()
    fitted = make_pipeline(StandardScaler(), LogisticRegression(C=training.strength)).fit(embeddings, classes)
    logits = training.head.logits(embeddings)
    np.testing.assert_allclose(logits[:, 1] - logits[:, 0], fitted.decision_function(embeddings), atol=1e-4)
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(chances, fitted.predict_proba(embeddings), atol=1e-4)


def test_the_strength_is_that_of_the_best_cross_validated_accuracy(training: Training) -> None:
    assert training.accuracy[training.strength] == max(training.accuracy.values())
    agreed = float((training.unseen == np.array(data()[1])).mean())
    assert training.accuracy[training.strength] == pytest.approx(agreed)


def test_cross_validated_guesses_come_from_heads_that_had_not_seen_the_text() -> None:
    """Labels without any rule are learned by heart: on what it saw a head is much better than by chance."""
    embeddings = np.random.default_rng(3).normal(size=(60, 300)).astype(np.float32)
    classes = [at % 2 for at in range(60)]
    training = train(embeddings, classes)
    assert (training.head.logits(embeddings).argmax(axis=1) == classes).all()
    assert max(training.accuracy.values()) < 0.75


def test_the_same_data_give_the_same_head(training: Training) -> None:
    again = train(*data())
    np.testing.assert_array_equal(again.head.weights, training.head.weights)
    np.testing.assert_array_equal(again.head.bias, training.head.bias)


def test_progress_ends_with_everything_done() -> None:
    told: list[tuple[int, int]] = []
    train(*data(), lambda done, total: told.append((done, total)))
    assert told == [(0, 6), (1, 6), (2, 6), (3, 6), (4, 6), (5, 6), (6, 6)]
