"""Where Headrace keeps its state and what it downloads."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from headrace.streams.errors import FolderError

__all__ = ["cache", "home", "writable"]

FOLDER = ".headrace"


def home() -> Path:
    """Return the state folder: HEADRACE_HOME, else `.headrace` of the current folder. It need not exist yet."""
    return _absolute(os.environ.get("HEADRACE_HOME") or FOLDER)


def cache() -> Path:
    """Return the folder of downloads: HEADRACE_CACHE, else `headrace` in XDG_CACHE_HOME or in ~/.cache."""
    chosen = os.environ.get("HEADRACE_CACHE")
    return _absolute(chosen or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "headrace"))


def writable(folder: Path) -> Path:
    """Return the folder, made with all its parents if need be.

    A `.headrace` on the way gets a `.gitignore`, so that no repository ever takes state in.

    Raises:
        FolderError: HR403, it cannot be made, or nothing can be written in it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # A real write: root passes every permission bit and still fails on a read-only or full disk.
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"\0")
        _keep_from_git(folder)
    except OSError as error:
        variable = "HEADRACE_CACHE" if folder.is_relative_to(cache()) else "HEADRACE_HOME"
        raise FolderError(folder, _reason(folder, error), variable=variable) from error
    return folder


def _absolute(path: str | Path) -> Path:
    return Path(os.path.abspath(Path(path).expanduser()))


def _keep_from_git(folder: Path) -> None:
    for place in (folder, *folder.parents):
        if place.name == FOLDER:
            with suppress(FileExistsError), (place / ".gitignore").open("x") as file:
                file.write("*\n")


def _reason(folder: Path, error: OSError) -> str:
    for place in (folder, *folder.parents):
        if place.exists() and not place.is_dir():
            return f"{place} is a file"
    return (error.strerror or str(error)).lower()
