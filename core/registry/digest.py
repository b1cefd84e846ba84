"""Whether the files of a model are those that its manifest names."""

from __future__ import annotations

from hashlib import file_digest
from pathlib import Path

from headrace.core.registry.errors import HashMismatchError, ModelFileMissingError
from headrace.core.registry.manifest import Manifest, ManifestFile
from headrace.core.registry.storage import Storage, translated

__all__ = ["check_sizes", "describe_file", "verify_hashes"]

_MEND = "restore it from a copy, or import the model as a new version"


def describe_file(path: Path) -> ManifestFile:
    """Return the hash and the size of a file of this machine."""
    with path.open("rb") as file:
        return ManifestFile(sha256=file_digest(file, "sha256").hexdigest(), size=path.stat().st_size)


def check_sizes(storage: Storage, folder: str, manifest: Manifest) -> None:
    """Refuse a model with a file that is missing or has another size; fast enough for `check`.

    Raises:
        ModelFileMissingError: HR305.
    """
    for path, file in manifest.files.items():
        size = storage.size(f"{folder}/{path}")
        if size is None:
            raise ModelFileMissingError(f"{manifest.reference} lacks its file {path} in {storage.location}", mend=_MEND)
        if size != file.size:
            fault = f"{manifest.reference}: {path} has {size:,} bytes; its manifest says {file.size:,}"
            raise ModelFileMissingError(fault, mend=_MEND)


def verify_hashes(storage: Storage, folder: str, manifest: Manifest) -> None:
    """Refuse a model with a file whose sha256 is not that of the manifest; reads every byte.

    Raises:
        ModelFileMissingError: HR305.
        HashMismatchError: HR306.
    """
    check_sizes(storage, folder, manifest)
    for path, file in manifest.files.items():
        with translated(f"read {path} of {manifest.reference}"), storage.open(f"{folder}/{path}") as content:
            found = file_digest(content, "sha256").hexdigest()  # type: ignore[arg-type]
        if found != file.sha256:
            fault = f"{manifest.reference}: {path} has sha256 {found[:12]}…; its manifest says {file.sha256[:12]}…"
            raise HashMismatchError(fault, mend=_MEND)
