"""A registry in a folder."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import BinaryIO

from headrace.core.registry.storage import translated

__all__ = ["LocalStorage"]


class LocalStorage:
    """A folder of this machine, also one that several machines mount."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.location = str(root)

    def folders(self, path: str) -> tuple[str, ...]:
        """Return the names of the folders in a folder."""
        with self._reaching():
            try:
                return tuple(entry.name for entry in os.scandir(self.root / path) if entry.is_dir())
            except FileNotFoundError:
                return ()

    def read(self, path: str) -> bytes | None:
        """Return what a file holds."""
        with self._reaching():
            try:
                return (self.root / path).read_bytes()
            except FileNotFoundError:
                return None

    def size(self, path: str) -> int | None:
        """Return a file's bytes."""
        with self._reaching():
            try:
                return (self.root / path).stat().st_size if (self.root / path).is_file() else None
            except FileNotFoundError:
                return None

    def open(self, path: str) -> BinaryIO:
        """Open a file."""
        return (self.root / path).open("rb")

    def claim(self, folder: str) -> bool:
        """Make a folder: mkdir is exclusive on every file system."""
        with self._reaching():
            (self.root / folder).parent.mkdir(parents=True, exist_ok=True)
            try:
                (self.root / folder).mkdir()
            except FileExistsError:
                return False
            return True

    def write(self, path: str, data: bytes) -> None:
        """Write beside the file, then rename over it."""
        with self._reaching():
            target = self.root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            beside = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
            try:
                with beside.open("wb") as file:
                    file.write(data)
                    _flush(file)
                beside.replace(target)
            finally:
                beside.unlink(missing_ok=True)

    def upload(self, local: Path, path: str) -> None:
        """Copy a file; it is on the disk before the manifest can be."""
        with self._reaching():
            target = self.root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            with local.open("rb") as source, target.open("wb") as file:
                shutil.copyfileobj(source, file, 1 << 20)
                _flush(file)

    def remove(self, folder: str) -> None:
        """Remove a folder."""
        shutil.rmtree(self.root / folder, ignore_errors=True)

    @contextmanager
    def lock(self, folder: str) -> Iterator[None]:
        """Hold an advisory lock on the folder; a process that dies lets go of it."""
        with self._reaching():
            (self.root / folder).mkdir(parents=True, exist_ok=True)
            handle = os.open(self.root / folder, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _reaching(self) -> AbstractContextManager[None]:
        return translated(f"reach the registry {self.location}")


def _flush(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
