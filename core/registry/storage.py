"""Where a registry's files lie: a local folder, or whatever fsspec reaches."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast
from urllib.parse import unquote, urlsplit

from headrace.core.errors import HeadraceError
from headrace.core.registry.errors import RegistryUnreachableError

__all__ = ["LocalStorage", "RemoteStorage", "Storage", "open_storage", "translated"]


class Storage(Protocol):
    """What a registry needs of a place for files. Paths are relative, with '/' between their parts."""

    location: str

    def folders(self, path: str) -> tuple[str, ...]:
        """Return the names of the folders in a folder; none when it does not exist."""

    def read(self, path: str) -> bytes | None:
        """Return what a small file holds, or None when there is none."""

    def size(self, path: str) -> int | None:
        """Return a file's bytes, or None when there is none."""

    def open(self, path: str) -> BinaryIO:
        """Open a file to be read from its beginning; the caller translates what reading raises."""

    def claim(self, folder: str) -> bool:
        """Make a folder that nobody else made; of two at once exactly one gets True."""

    def write(self, path: str, data: bytes) -> None:
        """Write a small file: a reader sees the old content or the new one, never half of it."""

    def upload(self, local: Path, path: str) -> None:
        """Copy a file of this machine into the storage."""

    def remove(self, folder: str) -> None:
        """Remove a folder and everything in it."""

    def lock(self, folder: str) -> AbstractContextManager[None]:
        """Keep others from changing the small files of a folder meanwhile, where the storage can."""


def open_storage(location: str) -> Storage:
    """Return the storage of a folder, a file:// URL, or any URL that fsspec has a driver for.

    Raises:
        RegistryUnreachableError: HR309, no driver.
    """
    if "://" not in location:
        return LocalStorage(Path(location).expanduser())
    if location.startswith("file://"):
        return LocalStorage(Path(unquote(urlsplit(location).path)))
    return RemoteStorage(location)


@contextmanager
def translated(attempt: str, mend: str = "check that it exists and may be read and written") -> Iterator[None]:
    """Turn what an operating system or an fsspec driver raises into one error that says what was attempted."""
    try:
        yield
    except HeadraceError:
        raise
    except Exception as error:
        said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        fault = f"cannot {attempt}: {' '.join(said.split())[:300] or type(error).__name__}"
        raise RegistryUnreachableError(fault, mend=mend) from error


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


def _flush(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
