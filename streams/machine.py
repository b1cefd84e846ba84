"""What this machine gives a process: cores and memory, as far as the process may use them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

__all__ = ["free_memory_bytes", "memory_bytes", "usable_cores"]

_CGROUP = Path("/sys/fs/cgroup")


def usable_cores(cgroup: Path = _CGROUP) -> int:
    """Return the processor cores this process may use: by affinity, and by the quota of its container."""
    affinity: Callable[[int], set[int]] | None = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    return max(1, min(cores, round(_quota(cgroup) or cores)))


def memory_bytes(cgroup: Path = _CGROUP) -> int | None:
    """Return the bytes of memory this process may use: the machine's, or its container's limit; None if unknown."""
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return None
    limit = _read(cgroup / "memory.max")
    return min(memory, int(limit)) if limit.isdigit() else memory


def free_memory_bytes(cgroup: Path = _CGROUP, meminfo: Path = Path("/proc/meminfo")) -> int | None:
    """Return the bytes that this process could still take: of the machine, or of its container; None if unknown."""
    lines = (line.split() for line in _read(meminfo).splitlines())
    free = next((int(words[1]) * 1024 for words in lines if words and words[0] == "MemAvailable:"), None)
    limit, used = _read(cgroup / "memory.max"), _read(cgroup / "memory.current")
    if limit.isdigit() and used.isdigit():
        left = max(0, int(limit) - int(used))
        return left if free is None else min(free, left)
    return free


def _quota(cgroup: Path) -> float | None:
    """Return the cores of cgroup v2's `cpu.max`, microseconds of each period; None without a quota."""
    quota, _, period = _read(cgroup / "cpu.max").partition(" ")
    return int(quota) / int(period) if quota.isdigit() and period.isdigit() and int(period) else None


def _read(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return ""
