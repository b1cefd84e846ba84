"""Cores, memory, and the folders that Headrace writes to."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from headrace.streams.doctor.finding import Finding
from headrace.streams.machine import memory_bytes, usable_cores

__all__ = ["look_at_folder", "look_at_room"]

_GIB = 1 << 30
_LITTLE_MEMORY = 2 * _GIB  # an embedded Kafka takes 0.4 GiB, MiniLM 0.3, Python with its libraries 0.3
_LITTLE_DISK = _GIB


def look_at_room() -> Iterator[Finding]:
    """Yield what this process may use of the machine."""
    memory, cores = memory_bytes(), usable_cores()
    threads = f"{cores} core{'' if cores == 1 else 's'}"
    if memory is None:
        yield Finding("machine", "ok", threads)
        return
    fact = f"{threads}, {memory / _GIB:.1f} GiB of memory"
    is_little = memory < _LITTLE_MEMORY
    yield Finding("machine", "warn" if is_little else "ok", fact, "take a small model" if is_little else "")


def look_at_folder(subject: str, folder: Path, variable: str) -> Finding:
    """Return whether a folder can be written, or made where it should be; it is not made by looking."""
    place = next((place for place in (folder, *folder.parents) if place.exists()), folder)
    try:
        # A real write: root passes every permission bit and still fails on a read-only or full disk.
        with tempfile.TemporaryFile(dir=place) as probe:
            probe.write(b"\0")
        free = shutil.disk_usage(place).free
    except OSError as error:
        reason = f"{place} is a file" if place.is_file() else (error.strerror or str(error)).lower()
        mend = f"free the path, or set {variable} to a folder that you may write"
        return Finding(subject, "fail", f"HR403 {folder} cannot be written: {reason}", mend)
    fact = f"{folder}, {free / _GIB:.1f} GiB free" + ("" if folder.exists() else ", not there yet")
    is_little = free < _LITTLE_DISK
    return Finding(subject, "warn" if is_little else "ok", fact, "free some disk" if is_little else "")
