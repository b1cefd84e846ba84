"""What a registry needs of the place where its files lie."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from headrace.core.errors import HeadraceError
from headrace.core.registry.errors import RegistryUnreachableError

__all__ = ["Storage", "translated"]


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
