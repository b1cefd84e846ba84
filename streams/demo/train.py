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
        on_done: told (done, total) of the heads that are fitted on the way.
    """
    import numpy as np

    truth, total = np.asarray(classes), len(_STRENGTHS) * _FOLDS + 1
    on_done(0, total)
    unseen = {}
    for at, strength in enumerate(_STRENGTHS):
        unseen[strength] = _unseen(embeddings, truth, strength)
        on_done((at + 1) * _FOLDS, total)
    accuracy = {strength: float((guess == truth).mean()) for strength, guess in unseen.items()}
    best = max(accuracy, key=lambda strength: accuracy[strength])
    head = _head(_fitted(embeddings, truth, best))
    on_done(total, total)
    return Training(head=head, strength=best, accuracy=accuracy, unseen=unseen[best])


def _unseen(embeddings: FloatArray, truth: IntArray, strength: float) -> IntArray:
    import numpy as np
    from sklearn.model_selection import StratifiedKFold

    guess = np.zeros(len(truth), np.int64)
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=0)
    for seen, hidden in folds.split(embeddings, truth):
        guess[hidden] = _fitted(embeddings[seen], truth[seen], strength).predict(embeddings[hidden])
    return guess


def _fitted(embeddings: FloatArray, truth: IntArray, strength: float) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    # Without one scale for all the penalty would fall on the layers with small numbers.
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=_ITERATIONS))
    # One BLAS thread: two on two busy cores wait for each other and need 3.4 s for the 0.4 s of one.
    with threadpool_limits(1):
        return classifier.fit(embeddings, truth)


def _head(fitted: Any) -> Head:
    """Return the classifier without its scaler: w·(x - mean)/scale + b is (w/scale)·x + (b - w·mean/scale)."""
    import numpy as np

    scaler, regression = fitted[0], fitted[1]
    weights = regression.coef_[0].astype(np.float64) / scaler.scale_
    bias = float(regression.intercept_[0]) - float(weights @ scaler.mean_)
    return Head(
        weights=np.stack([-weights / 2, weights / 2], axis=1).astype(np.float32),
        bias=np.array([-bias / 2, bias / 2], dtype=np.float32),
    )
