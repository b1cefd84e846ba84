"""What this machine gives a process."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from headrace.streams.machine import free_memory_bytes, memory_bytes, usable_cores


def test_cores_are_those_of_the_affinity_without_a_quota(tmp_path: Path) -> None:
    assert usable_cores(tmp_path) == len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("quota", "cores"), [("100000 100000", 1), ("150000 100000", 2), ("10000 100000", 1), ("max 100000", None)]
)
def test_a_containers_quota_bounds_the_cores(tmp_path: Path, quota: str, cores: int | None) -> None:
    (tmp_path / "cpu.max").write_text(f"{quota}\n")
    here = len(os.sched_getaffinity(0))
    assert usable_cores(tmp_path) == min(here, cores or here)


def test_memory_is_the_machines_or_what_its_container_may_use(tmp_path: Path) -> None:
    whole = memory_bytes(tmp_path)
    assert whole is not None
    assert whole > 1 << 28
    (tmp_path / "memory.max").write_text("268435456\n")
    assert memory_bytes(tmp_path) == 268_435_456
    (tmp_path / "memory.max").write_text("max\n")
    assert memory_bytes(tmp_path) == whole


MEMINFO = "MemTotal:       16000 kB\nMemFree:          100 kB\nMemAvailable:    4000 kB\n"


@pytest.mark.parametrize(
    ("meminfo", "limit", "used", "free"),
    [
        pytest.param(MEMINFO, None, None, 4_096_000, id="what the machine has available"),
        pytest.param(MEMINFO, "max", "1000", 4_096_000, id="a container without a limit"),
        pytest.param(MEMINFO, "3000000", "1000000", 2_000_000, id="what is left of a container's limit"),
        pytest.param(MEMINFO, "900000000", "1000000", 4_096_000, id="a limit above what there is"),
        pytest.param(MEMINFO, "1000", "5000", 0, id="over its limit"),
        pytest.param(None, "3000000", "1000000", 2_000_000, id="only the container tells"),
        pytest.param(None, None, None, None, id="nobody tells"),
    ],
)
def test_free_memory_is_the_least_that_machine_and_container_leave(
    tmp_path: Path, meminfo: str | None, limit: str | None, used: str | None, free: int | None
) -> None:
    for name, text in (("meminfo", meminfo), ("memory.max", limit), ("memory.current", used)):
        if text is not None:
            (tmp_path / name).write_text(text)
    assert free_memory_bytes(tmp_path, tmp_path / "meminfo") == free
