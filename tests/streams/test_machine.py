"""What this machine gives a process."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from headrace.streams.machine import memory_bytes, usable_cores


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
