"""Threads of a run of a model: the cores that there are, shared by the workers that run models on them."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace.streams.threads import threads_of
from tests.support.planned import compiled

ONE = {"models": {"quick": {"cut": {"version": "quick@1"}}}, "route": {"single": {"model": "quick"}}}
THREE = {"groups": {"quick": {"models": ["quick"], "replicas": 2}, "expert": {"models": ["expert"]}}}


@pytest.mark.parametrize(("cores", "threads"), [(1, 1), (2, 1), (6, 2), (8, 2), (64, 21)])
def test_workers_that_start_together_share_the_cores_and_each_has_one_at_least(
    tmp_path: Path, cores: int, threads: int
) -> None:
    found = threads_of(compiled(tmp_path, **THREE), cores=cores)
    assert (found.workers, found.threads) == (3, threads)
    assert found.reason.endswith("that this process may use, shared by 3 workers with models")


def test_one_worker_has_all_cores(tmp_path: Path) -> None:
    found = threads_of(compiled(tmp_path, **ONE), cores=8)
    assert (found.threads, found.reason) == (8, "8 cores that this process may use")


def test_what_the_operator_asks_for_goes_before(tmp_path: Path) -> None:
    found = threads_of(compiled(tmp_path, **THREE), 5, cores=2)
    assert (found.threads, found.reason) == (5, "as --threads or HEADRACE_THREADS asks")
