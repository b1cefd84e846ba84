"""Train a classification head on frozen embeddings: logistic regression, its strictness chosen by cross-validation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    FloatArray = np.ndarray[Any, np.dtype[np.float32]]
    IntArray = np.ndarray[Any, np.dtype[np.int64]]

__all__ = ["Head", "Training", "train"]

# Inverse strengths of the penalty. A wider search found nothing better outside of these (0.0003 to 1).
_STRENGTHS = (0.0003, 0.001, 0.003)
_FOLDS = 5
_ITERATIONS = 500


@dataclass(frozen=True)
class Head:
    """A linear classifier on embeddings as they come: standardisation is part of its weights.

    Attributes:
        weights: float32 ``[width, 2]``.
        bias: float32 ``[2]``. Logits are plus and minus half the decision, so that softmax gives the probability.
    """

    weights: FloatArray
    bias: FloatArray

    def logits(self, embeddings: FloatArray) -> FloatArray:
        """Return float32 ``[texts, 2]`` for embeddings ``[texts, width]``."""
        return embeddings @ self.weights + self.bias


@dataclass(frozen=True)
class Training:
    """A trained head, and what cross-validation on its training data says of it.

    Attributes:
        head: trained on all of the data.
        strength: scikit-learn's C that was chosen.
        accuracy: by C, the share of texts judged rightly by a head that had not seen them.
        unseen: int64 ``[texts]``, the class of each text by a head of the chosen C that had not seen it.
    """

    head: Head
    strength: float
    accuracy: Mapping[float, float]
    unseen: IntArray


def train(
    embeddings: FloatArray,
    classes: Sequence[int],
    on_done: Callable[[int, int], None] = lambda done, total: None,
) -> Training:
    """Return a head for two classes. The same data give the same head.

    Args:
        embeddings: float32 ``[texts, width]``.
        classes: 0 or 1 for each text; at least five of each.
        on_done: told (done, total) after each fold of the cross-validation and at the end.
    """
    import numpy as np

    truth, total = np.asarray(classes), _FOLDS + 1
    on_done(0, total)
    unseen = _unseen(embeddings, truth, lambda folds: on_done(folds, total))
    accuracy = {strength: float((guess == truth).mean()) for strength, guess in unseen.items()}
    best = max(accuracy, key=lambda strength: accuracy[strength])
    scaler, (regression,) = _fitted(embeddings, truth, (best,))
    on_done(total, total)
    return Training(head=_head(scaler, regression), strength=best, accuracy=accuracy, unseen=unseen[best])


def _unseen(embeddings: FloatArray, truth: IntArray, on_done: Callable[[int], None]) -> dict[float, IntArray]:
    """Return, by strength, the class of each text by a head that had not seen it."""
    import numpy as np
    from sklearn.model_selection import StratifiedKFold

    guess = {strength: np.zeros(len(truth), np.int64) for strength in _STRENGTHS}
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=0)
    for done, (seen, hidden) in enumerate(folds.split(embeddings, truth), 1):
        scaler, regressions = _fitted(embeddings[seen], truth[seen], _STRENGTHS)
        scaled = scaler.transform(embeddings[hidden])
        for strength, regression in zip(_STRENGTHS, regressions, strict=True):
            guess[strength][hidden] = regression.predict(scaled)
        on_done(done)
    return guess


def _fitted(embeddings: FloatArray, truth: IntArray, strengths: Sequence[float]) -> tuple[Any, list[Any]]:
    """Return a scaler, and a regression of each strength that takes what the scaler gives."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    # Without one scale for all the penalty would fall on the layers with small numbers.
    scaler = StandardScaler().fit(embeddings)
    scaled = scaler.transform(embeddings)
    # One BLAS thread: two on two busy cores wait for each other and need 3.4 s for the 0.4 s of one.
    with threadpool_limits(1):
        regressions = [
            LogisticRegression(C=strength, max_iter=_ITERATIONS).fit(scaled, truth) for strength in strengths
        ]
    return scaler, regressions


def _head(scaler: Any, regression: Any) -> Head:
    """Return the two as one: w·(x - mean)/scale + b is (w/scale)·x + (b - w·mean/scale)."""
    import numpy as np

    weights = regression.coef_[0].astype(np.float64) / scaler.scale_
    bias = float(regression.intercept_[0]) - float(weights @ scaler.mean_)
    return Head(
        weights=np.stack([-weights / 2, weights / 2], axis=1).astype(np.float32),
        bias=np.array([-bias / 2, bias / 2], dtype=np.float32),
    )
