"""A registry wherever fsspec reaches, such as an object store."""

from __future__ import annotations

import secrets
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, BinaryIO, cast

from headrace.core.registry.storage import translated

__all__ = ["RemoteStorage"]


class RemoteStorage:
    """An object store or other remote place, by its fsspec driver. Small files there are written whole or not."""

    def __init__(self, location: str) -> None:
        self.location = location.rstrip("/")
        with translated(
            f"open the registry {location}", mend="install the driver that the message names, or correct the URL"
        ):
            from fsspec.core import url_to_fs

            # A cached listing would hide a version that another machine has just added.
            found, root = url_to_fs(location, use_listings_cache=False)
        self._fs: Any = found
        self._root = str(root).rstrip("/")

    def folders(self, path: str) -> tuple[str, ...]:
        """Return the names of the folders in a folder."""
        with self._reaching():
            try:
                entries = self._fs.ls(self._full(path), detail=True)
            except (FileNotFoundError, NotADirectoryError):
                return ()
            return tuple(e["name"].rstrip("/").rpartition("/")[2] for e in entries if e["type"] == "directory")

    def read(self, path: str) -> bytes | None:
        """Return what a file holds."""
        with self._reaching():
            try:
                return cast("bytes", self._fs.cat_file(self._full(path)))
            except (FileNotFoundError, IsADirectoryError):
                return None

    def size(self, path: str) -> int | None:
        """Return a file's bytes."""
        with self._reaching():
            try:
                facts = self._fs.info(self._full(path))
            except FileNotFoundError:
                return None
            return int(facts["size"]) if facts["type"] == "file" else None

    def open(self, path: str) -> BinaryIO:
        """Open a file."""
        return cast("BinaryIO", self._fs.open(self._full(path), "rb"))

    def claim(self, folder: str) -> bool:
        """Write a claim that must be the first; read it back, for drivers that overwrite in spite of the mode."""
        path, mine = self._full(f"{folder}/.claim"), secrets.token_hex(16).encode()
        with self._reaching():
            self._fs.makedirs(self._full(folder), exist_ok=True)
            try:
                self._fs.pipe_file(path, mine, mode="create")
            except FileExistsError:
                return False
            return bool(self._fs.cat_file(path) == mine)

    def write(self, path: str, data: bytes) -> None:
        """Put a small object."""
        with self._reaching():
            self._fs.pipe_file(self._full(path), data)

    def upload(self, local: Path, path: str) -> None:
        """Put a file."""
        with self._reaching():
            self._fs.makedirs(self._full(path).rpartition("/")[0], exist_ok=True)
            self._fs.put_file(str(local), self._full(path))

    def remove(self, folder: str) -> None:
        """Remove a folder."""
        with self._reaching():
            self._fs.rm(self._full(folder), recursive=True)

    def lock(self, folder: str) -> AbstractContextManager[None]:
        """Object stores have no locks: of two aliases set in the same moment one may be lost."""
        return nullcontext()

    def _reaching(self) -> AbstractContextManager[None]:
        return translated(f"reach the registry {self.location}")

    def _full(self, path: str) -> str:
        return f"{self._root}/{path}" if path else self._root
