"""The manifest of one version of a model: what it takes, what it answers, and the hash of every file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from headrace.core.registry.errors import ManifestUnreadableError
from headrace.core.registry.reference import NAME_PATTERN

__all__ = ["MANIFEST_FILE", "Manifest", "ManifestFile", "decode_manifest", "encode_manifest"]

MANIFEST_FILE = "manifest.json"
_FORMAT = 1


def _inside(path: str) -> str:
    """A manifest may come from a stranger: no file of it may lie, or be written, outside of its own folder."""
    parts = PurePosixPath(path).parts
    tame = "\\" not in path and "\0" not in path and not PurePosixPath(path).is_absolute()
    if not tame or not parts or ".." in parts or str(PurePosixPath(*parts)) != path or path == MANIFEST_FILE:
        raise ValueError(f"{path!r} is not the path of a file inside the model's folder")
    return path


FilePath = Annotated[str, AfterValidator(_inside)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ManifestFile(_Section):
    """What a file must be."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size: int = Field(ge=0, description="bytes")


class Manifest(_Section):
    """One version of a model. It is written last, so a version without it was never finished.

    Attributes:
        format: version of this form.
        name: the model's name.
        version: counts from 1.
        task: what it does.
        graph: the ONNX file.
        tokenizer: the tokenizer.json; None when transformers reads the tokenizer from the folder.
        inputs: the graph's inputs; empty when nobody looked.
        labels: names of the logits, in order.
        max_tokens: longest text, special tokens included; a longer one is truncated.
        batch_invariant: False when a text's scores depend on the texts it is padded with: it then runs alone.
        files: every file of the version, by its path in the folder.
        shards: always None; sharded models are not built yet.
        lineage: where it came from, in words.
        created: RFC 3339 time.
    """

    format: Literal[1] = 1
    name: str = Field(pattern=NAME_PATTERN)
    version: int = Field(ge=1)
    task: Literal["text-classification"] = "text-classification"
    graph: FilePath
    tokenizer: FilePath | None
    inputs: tuple[str, ...] = ()
    labels: tuple[str, ...] = Field(min_length=2)
    max_tokens: int = Field(ge=1)
    batch_invariant: bool = True
    files: dict[FilePath, ManifestFile] = Field(min_length=1)
    shards: None = None
    lineage: dict[str, str] = {}
    created: str

    @model_validator(mode="after")
    def _is_whole(self) -> Manifest:
        for path in (self.graph, self.tokenizer):
            if path is not None and path not in self.files:
                raise ValueError(f"{path!r} is not among its files")
        if len(set(self.labels)) != len(self.labels):
            raise ValueError("a label stands twice")
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
        content["files"] = {path: file.sha256 for path, file in self.files.items()}
        return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def encode_manifest(manifest: Manifest) -> bytes:
    """Return the manifest as it is written: JSON that a person can read."""
    return (json.dumps(manifest.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n").encode()


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
