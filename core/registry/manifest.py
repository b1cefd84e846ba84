"""The manifest of one version of a model: what it takes, what it answers, and the hash of every file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from headrace.core.registry.errors import ManifestUnreadableError
from headrace.core.registry.reference import NAME_PATTERN
from headrace.core.registry.section import MANIFEST_FILE, FilePath, Section
from headrace.core.registry.shard import ManifestShard, refuse_gaps
from headrace.core.tensor import TensorSpec

__all__ = [
    "MANIFEST_FILE",
    "TENSOR",
    "TEXT",
    "Manifest",
    "ManifestFile",
    "Scores",
    "Task",
    "decode_manifest",
    "encode_manifest",
]

Task = Literal["text-classification", "tensor"]
TEXT: Task = "text-classification"
TENSOR: Task = "tensor"
Scores = Literal["logits", "probabilities"]
_FORMAT = 3


class ManifestFile(Section):
    """What a file must be."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size: int = Field(ge=0, description="bytes")


class Manifest(Section):
    """One version of a model. It is written last, so a version without it was never finished.

    Attributes:
        format: version of this form; 2 has shards, 3 the task tensor.
        name: the model's name.
        version: counts from 1.
        task: what it does.
        graph: the ONNX file; None when the model is sharded.
        tokenizer: the tokenizer.json; None when transformers reads the tokenizer from the folder, or none is needed.
        inputs: the graph's inputs; empty when nobody looked. Of a sharded model those of the graph that was cut.
        labels: names of the logits, in order; a model of the task tensor may have none.
        max_tokens: longest text, special tokens included; a longer one is truncated. 0 when it takes no text.
        batch_invariant: False when a record's answer depends on those it shares a run with: it then runs alone.
        takes: of the task tensor, what a record brings: the graph's inputs, without an axis for the batch.
        gives: of the task tensor, the graph's outputs, likewise.
        scores: of the task tensor with labels, whether the graph gives probabilities or what softmax makes them of.
        files: every file of the version, by its path in the folder.
        shards: its parts in order, at least two; None when it is whole.
        lineage: where it came from, in words; of a sharded model also `sharded_from` and how it was `cut`.
        created: RFC 3339 time.
    """

    format: Literal[1, 2, 3] = 1
    name: str = Field(pattern=NAME_PATTERN)
    version: int = Field(ge=1)
    task: Task = TEXT
    graph: FilePath | None
    tokenizer: FilePath | None
    inputs: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    max_tokens: int = Field(default=0, ge=0)
    batch_invariant: bool = True
    files: dict[FilePath, ManifestFile] = Field(min_length=1)
    shards: tuple[ManifestShard, ...] | None = None
    takes: tuple[TensorSpec, ...] = ()
    gives: tuple[TensorSpec, ...] = ()
    scores: Scores | None = None
    lineage: dict[str, str] = Field(default_factory=dict)
    created: str

    @model_validator(mode="after")
    def _is_whole(self) -> Manifest:
        if (self.graph is None) == (self.shards is None):
            raise ValueError("a model has either a graph or shards")
        if self.shards is not None:
            refuse_gaps(self.shards, self.inputs)
        for path in (self.graph, self.tokenizer, *(file for shard in self.shards or () for file in shard.files)):
            if path is not None and path not in self.files:
                raise ValueError(f"{path!r} is not among its files")
        if len(set(self.labels)) != len(self.labels):
            raise ValueError("a label stands twice")
        if self.task == TEXT and (len(self.labels) < 2 or not self.max_tokens):
            raise ValueError("a model of texts has two labels at least, and takes a token at least")
        if self.task == TENSOR and (self.shards is not None or self.tokenizer is not None):
            raise ValueError("a model of tensors is whole and has no tokenizer")
        return self

    @property
    def reference(self) -> str:
        """The name with the version: what results carry as `version`."""
        return f"{self.name}@{self.version}"

    @property
    def size_bytes(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files.values())

    @property
    def hash(self) -> str:
        """Identifies the content: every file's hash, and what else decides a result. Neither name nor time."""
        content = self.model_dump(mode="json", include={"task", "graph", "tokenizer", "labels", "max_tokens"})
        if self.task == TENSOR:
            content["scores"] = self.scores
        if self.shards is not None:
            content["shards"] = [shard.model_dump(mode="json", exclude={"share"}) for shard in self.shards]
        content["files"] = {path: file.sha256 for path, file in self.files.items()}
        return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def part(self, index: int) -> Manifest:
        """Return the manifest narrowed to the files that a worker of one part may open.

        Args:
            index: counts the parts from 0; the first one also has the tokenizer.
        """
        shards = self.shards or ()
        of_parts = {file for shard in shards for file in shard.files}
        own = {*shards[index].files, *(set(self.files) - of_parts if index == 0 else ())}
        return self.model_copy(update={"files": {path: file for path, file in self.files.items() if path in own}})


def encode_manifest(manifest: Manifest) -> bytes:
    """Return the manifest as it is written: JSON that a person can read."""
    newer = {"takes", "gives", "scores"} if manifest.format < _FORMAT else set()  # an older Headrace refuses those keys
    return (json.dumps(manifest.model_dump(mode="json", exclude=newer), indent=2, ensure_ascii=False) + "\n").encode()


def decode_manifest(data: bytes, *, name: str, version: int) -> Manifest:
    """Return the manifest of a version.

    Args:
        data: what the file holds.
        name: the model it was found under.
        version: the version it was found under.

    Raises:
        ManifestUnreadableError: HR304, it is not a manifest, or that of another version.
    """
    where = f"the manifest of {name}@{version}"
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _unreadable(where, f"is not JSON: {error}") from None
    _refuse_newer(value, where)
    try:
        manifest = Manifest.model_validate_json(data)
    except ValidationError as error:
        raise _unreadable(where, f"is not one: {_first(error)}") from None
    if (manifest.name, manifest.version) != (name, version):
        raise _unreadable(where, f"is that of {manifest.reference}")
    return manifest


def _refuse_newer(value: Any, where: str) -> None:
    found = value.get("format") if isinstance(value, Mapping) else None
    if isinstance(found, int) and found > _FORMAT:
        raise ManifestUnreadableError(f"{where} has format {found}; this is {_FORMAT}", mend="update headrace")


def _first(error: ValidationError) -> str:
    finding = error.errors(include_url=False)[0]
    place = ".".join(str(key) for key in finding["loc"] if key != "[key]")
    message = finding["msg"].removeprefix("Value error, ")
    return f"{place}: {message}" if place else message


def _unreadable(where: str, fault: str) -> ManifestUnreadableError:
    return ManifestUnreadableError(f"{where} {fault}", mend="restore it, or import the model as a new version")
