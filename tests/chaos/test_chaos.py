"""Twenty-five faults strike pipelines under load, and the checker finds nothing but what the guarantee allows.

It would prove nothing if a fault struck an idle worker, or if the checker were blind: a fault that did so is not
counted, and fails the run; test_checker.py plants each kind of fault.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.run import Settings, run
from tests.chaos.suite import usual

pytestmark = [pytest.mark.broker, pytest.mark.timeout(600)]


@pytest.mark.parametrize("settings", usual(), ids=lambda one: f"{one.guarantee}-{one.groups}-groups")
def test_faults_under_load_do_no_more_than_the_guarantee_allows(settings: Settings, tmp_path: Path) -> None:
    report = run(tmp_path, settings, print)
    print(*report.lines(), sep="\n")
    assert report.faults == []
