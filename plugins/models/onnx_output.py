"""From logits to what a result says of a text: its label and scores, and how much of it was read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from headrace import Batch, Output
from headrace.plugins.models.errors import NotANumberError
from headrace.plugins.models.onnx_rows import Mark

if TYPE_CHECKING:
    import numpy as np

__all__ = ["has_nan", "outputs_of", "probabilities"]


def outputs_of(
    batch: Batch, logits: np.ndarray[Any, Any], marks: Sequence[Mark], labels: Sequence[str]
) -> list[Output]:
    """Return one output a record, in order.

    Args:
        batch: the records, for errors.
        logits: float64 ``[records, labels]``, or ``[records, 1]`` for two labels.
        marks: what is known of the records' texts.
        labels: names of the logits.

    Raises:
        NotANumberError: HR325.
    """
    scores = probabilities(logits)
    _refuse_nan(scores, batch)
    outputs: list[Output] = []
    for mark, row, best in zip(marks, scores.tolist(), scores.argmax(axis=1).tolist(), strict=True):
        output: dict[str, Any] = {
            "label": labels[best],
            "score": row[best],
            "scores": dict(zip(labels, row, strict=True)),
            "tokens": mark.tokens,
        }
        if mark.truncated:
            output["truncated"] = True
        outputs.append(output)
    return outputs


def has_nan(values: np.ndarray[Any, Any]) -> bool:
    """Return whether any of the values is not a number."""
    import numpy as np

    return bool(np.isnan(values).any())


def probabilities(logits: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return softmax by row; a single logit is that of the second of two labels."""
    import numpy as np

    if logits.shape[1] == 1:
        logits = np.concatenate([np.zeros_like(logits), logits], axis=1)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    total: np.ndarray[Any, Any] = powers / powers.sum(axis=1, keepdims=True)
    return total


def _refuse_nan(scores: np.ndarray[Any, Any], batch: Batch) -> None:
    if has_nan(scores):
        import numpy as np

        record = batch[int(np.isnan(scores).any(axis=1).argmax())]
        raise NotANumberError(f"the model's scores for record {record.id} are NaN", mend="export it in float32")
