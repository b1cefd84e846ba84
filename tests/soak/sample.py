"""What a worker holds at one moment, as the system tells it: memory, open files and threads."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

__all__ = ["Sample", "sample"]

_MB = 1024


class Sample(NamedTuple):
    """Measures of a process.

    Attributes:
        rss_mb: memory that it has, with what it shares.
        pss_mb: the same, with its share of what several processes have together.
        handles: open files, sockets among them.
        threads: how many.
    """

    rss_mb: float
    pss_mb: float
    handles: int
    threads: int


def sample(pid: int) -> Sample:
    """Look at a process.

    Raises:
        OSError: it is gone.
    """
    home = Path(f"/proc/{pid}")
    said = _figures(home / "smaps_rollup")
    threads = _figures(home / "status")["Threads"]
    handles = len([*(home / "fd").iterdir()])
    return Sample(said["Rss"] / _MB, said["Pss"] / _MB, handles, threads)


def _figures(file: Path) -> dict[str, int]:
    """Return the lines `Name: NUMBER ...` of a file."""
    lines = (line.partition(":") for line in file.read_text().splitlines())
    words = {name: rest.split() for name, _, rest in lines}
    return {name: int(rest[0]) for name, rest in words.items() if rest and rest[0].isdigit()}
