"""What the demo keeps from one time to the next: a model folder, the held-out reviews, the figures, under a seal."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from headrace.streams.demo.download import sha256_of
from headrace.streams.demo.encoder import MAX_TOKENS
from headrace.streams.demo.evaluate import Evaluation
from headrace.streams.demo.reviews import LABELS, Review

__all__ = ["Prepared", "found", "write"]

_MODEL = "reviews"  # the folder's name becomes part of the model's lineage
_REVIEWS = "held-out.json"
_EVALUATION = "evaluation.json"
_SEAL = "seal.json"


class Prepared(NamedTuple):
    """What the demo has before it starts.

    Attributes:
        folder: where it lies.
        held_out: the reviews to publish, in a fixed order without meaning.
        evaluation: what each model is worth alone.
        is_new: whether it was made just now rather than found.
    """

    folder: Path
    held_out: tuple[Review, ...]
    evaluation: Evaluation
    is_new: bool = False

    @property
    def model(self) -> Path:
        """The folder for `headrace model import`."""
        return self.folder / _MODEL


def write(folder: Path, graph: bytes, tokenizer: bytes, held_out: Sequence[Review], evaluation: Evaluation) -> None:
    """Write everything into a new folder, the seal with every file's sha256 last."""
    model = folder / _MODEL
    model.mkdir(parents=True)
    (model / "model.onnx").write_bytes(graph)
    (model / "tokenizer.json").write_bytes(tokenizer)
    _write_json(model / "config.json", _config())
    _write_json(model / "tokenizer_config.json", _tokenizer_config())
    (folder / _REVIEWS).write_bytes(msgspec.json.encode(held_out))
    (folder / _EVALUATION).write_bytes(msgspec.json.format(msgspec.json.encode(evaluation)))
    _write_json(folder / _SEAL, _sums(folder))


def found(folder: Path) -> Prepared | None:
    """Return what the folder keeps; None when anything of it is missing, damaged or has changed."""
    try:
        if json.loads((folder / _SEAL).read_bytes()) != _sums(folder):
            return None
        held_out = msgspec.json.decode((folder / _REVIEWS).read_bytes(), type=tuple[Review, ...])
        evaluation = msgspec.json.decode((folder / _EVALUATION).read_bytes(), type=Evaluation)
    except (OSError, ValueError):
        return None
    return Prepared(folder, held_out, evaluation)


def _config() -> dict[str, Any]:
    return {
        "_name_or_path": "sentence-transformers/all-MiniLM-L6-v2",
        "architectures": ["BertForSequenceClassification"],
        "model_type": "bert",
        "max_position_embeddings": 512,
        "id2label": {str(number): label for number, label in enumerate(LABELS)},
        "label2id": {label: number for number, label in enumerate(LABELS)},
    }


def _tokenizer_config() -> dict[str, Any]:
    return {"tokenizer_class": "BertTokenizer", "do_lower_case": True, "model_max_length": MAX_TOKENS}


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def _sums(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / _SEAL)
    return {path.relative_to(folder).as_posix(): sha256_of(path) for path in files}
