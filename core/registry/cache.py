"""Copies of remote models on this machine: made once, verified at every use."""

from __future__ import annotations

import os
import secrets
import shutil
from contextlib import suppress
from pathlib import Path

from headrace.core.registry.digest import verify_hashes
from headrace.core.registry.errors import HashMismatchError, ModelFileMissingError
from headrace.core.registry.local import LocalStorage
from headrace.core.registry.manifest import Manifest
from headrace.core.registry.storage import Storage, translated

__all__ = ["cached_folder", "default_cache"]

_MEND = "check the registry; or set HEADRACE_CACHE to a folder with room that may be written"
_ATTEMPTS = 3  # several workers may find the same damaged copy at once


def default_cache() -> Path:
    """Return the folder of copies: `models` in HEADRACE_CACHE, else in `headrace` of XDG_CACHE_HOME or ~/.cache."""
    root = os.environ.get("HEADRACE_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "headrace")
    with translated("find a folder for copies of models", mend="set HEADRACE_CACHE"):
        return Path(root).expanduser() / "models"


def cached_folder(storage: Storage, folder: str, manifest: Manifest, cache: Path) -> Path:
    """Return a verified local copy of a version, fetched when there is none or when it is damaged.

    Copies are named by content, so two registries with the same model share one, and a version that was deleted
    and imported anew can never be mistaken for its predecessor.

    Raises:
        ModelFileMissingError: HR305, the registry lacks a file.
        HashMismatchError: HR306, the registry's own file is not what its manifest says.
    """
    copies, name = LocalStorage(cache), manifest.hash
    if not _is_whole(copies, name, manifest):
        _fetch(storage, folder, manifest, copies, name)
    return cache / name


def _fetch(storage: Storage, folder: str, manifest: Manifest, copies: LocalStorage, name: str) -> None:
    """Fetch into a folder of our own, verify, then rename: other workers may be fetching the same model."""
    mine = f".{name}.{secrets.token_hex(4)}"
    try:
        for path in manifest.files:
            _download(storage, f"{folder}/{path}", copies.root / mine / path, copies.location)
        verify_hashes(copies, mine, manifest)
        with translated(f"keep a copy of {manifest.reference} in {copies.location}", mend=_MEND):
            _put_in_place(copies, mine, name, manifest)
    finally:
        copies.remove(mine)


def _put_in_place(copies: LocalStorage, mine: str, name: str, manifest: Manifest) -> None:
    """Rename to the final name, unless a faster worker has; a damaged copy that is in the way is moved aside."""
    target = copies.root / name
    for _ in range(_ATTEMPTS):
        with suppress(OSError):
            (copies.root / mine).rename(target)
            return
        if _is_whole(copies, name, manifest):
            return
        with suppress(OSError):
            target.rename(copies.root / f"{mine}.old")
        copies.remove(f"{mine}.old")
    (copies.root / mine).rename(target)


def _is_whole(copies: LocalStorage, name: str, manifest: Manifest) -> bool:
    try:
        verify_hashes(copies, name, manifest)
    except (ModelFileMissingError, HashMismatchError):
        return False
    return True


def _download(storage: Storage, path: str, target: Path, cache: str) -> None:
    with translated(f"copy {storage.location}/{path} to {cache}", mend=_MEND):
        target.parent.mkdir(parents=True, exist_ok=True)
        with storage.open(path) as source, target.open("wb") as file:
            shutil.copyfileobj(source, file, 1 << 20)
