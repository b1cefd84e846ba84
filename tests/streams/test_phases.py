"""Which phase each worker tags with: its own, whatever others run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from headrace.core.control import Settings
from headrace.streams.live import Live
from headrace.streams.phases import Phases
from tests.support.planned import compiled

KEY = "experiment/better"
OWN = {"models": {"expert": {"cut": {"version": "expert@2"}}}}


class Worker:
    """The phases of a worker, and what it would read and write."""

    def __init__(self, folder: Path, *weights: int, **more: Any) -> None:
        control, treatment = weights
        variants = {"control": {"weight": control}, "treatment": {"weight": treatment, "set": OWN}}
        plan = compiled(folder, experiments={"better": {"variants": variants, **more}}, holdout=0.1)
        self.live = Live(plan)
        self.phases = Phases(plan, self.live)

    def begin(self, settings: Settings) -> Settings:
        """Read, write and read again, as a worker of ingress does before its first record."""
        self.read(settings)
        while due := self.phases.due(settings):
            settings = written(settings, due)
            self.read(settings)
        return settings

    def read(self, settings: Settings) -> int | None:
        """Put in force what is there; return the phase that records are tagged with from now on."""
        self.live.change(phases=self.phases.current(settings, self.live.state.versions))
        return self.live.state.phases.get("better")

    def switch(self, settings: Settings, version: str) -> Settings:
        """Route to another version of the treatment's own model."""
        versions = {**self.live.state.versions, "expert.better.treatment": version}
        self.live.change(phases=self.phases.current(settings, versions), versions=versions)
        return written(settings, self.phases.owed(settings))


def written(settings: Settings, due: Any) -> Settings:
    for key, phase in due.items():
        settings = settings.with_change(key, phase)
    return settings


@pytest.mark.parametrize("change", [{}, {"coverage": 0.5}, {"segment": "value.country == 'nl'"}], ids=str)
def test_the_same_weights_go_on_with_their_phase(tmp_path: Path, change: dict[str, Any]) -> None:
    settings = Worker(tmp_path, 1, 1).begin(Settings())
    again = Worker(tmp_path, 2, 2, **change)
    assert again.begin(settings) == settings
    assert again.live.state.phases == {"holdout": 1, "better": 1}


def test_other_weights_open_a_phase_and_a_worker_with_the_old_ones_keeps_its_own(tmp_path: Path) -> None:
    old, new = Worker(tmp_path, 1, 1), Worker(tmp_path, 1, 3)
    settings = new.begin(old.begin(Settings()))
    assert (old.read(settings), new.read(settings)) == (1, 2)
    assert old.phases.owed(settings) == {}
    assert Worker(tmp_path, 1, 1).begin(settings).phase("better") != settings.phase("better"), (
        "a phase never comes back"
    )


def test_two_workers_that_open_the_same_phase_at_once_do_not_share_it(tmp_path: Path) -> None:
    settings = Worker(tmp_path, 1, 1).begin(Settings())
    one, other = Worker(tmp_path, 1, 2), Worker(tmp_path, 1, 3)
    first, second = one.phases.due(settings), other.phases.due(settings)
    assert first[KEY].phase == second[KEY].phase == 2
    both = written(written(settings, first), second)
    assert (one.read(both), other.begin(both).phase("better").phase) == (2, 3)  # type: ignore[union-attr]


def test_a_worker_that_reads_what_it_wrote_only_after_another_wrote_opens_one_more(tmp_path: Path) -> None:
    settings = Worker(tmp_path, 1, 1).begin(Settings())
    one, other = Worker(tmp_path, 1, 2), Worker(tmp_path, 1, 3)
    settings = other.begin(written(settings, one.phases.due(settings)))
    settings = one.begin(settings)
    assert (one.read(settings), other.read(settings)) == (4, 3)


def test_another_version_of_a_variant_s_own_model_opens_a_phase_for_all_workers(tmp_path: Path) -> None:
    one, other = Worker(tmp_path, 1, 1), Worker(tmp_path, 1, 1)
    settings = other.begin(one.begin(Settings()))
    settings = one.switch(settings, "expert@3")
    assert (one.read(settings), other.read(settings)) == (2, 1)
    assert other.switch(settings, "expert@3") == settings
    assert other.read(settings) == 2


def test_a_phase_that_others_opened_first_is_left_to_them(tmp_path: Path) -> None:
    mine, others = Worker(tmp_path, 1, 1), Worker(tmp_path, 1, 3)
    settings = mine.begin(Settings())
    unread = mine.switch(settings, "expert@3")
    assert unread.phase("better") != settings.phase("better")
    settings = others.begin(settings)
    assert (mine.read(settings), others.read(settings)) == (2, 2), "so it seems until the next look"
    settings = written(settings, mine.phases.owed(settings))
    assert (mine.read(settings), others.read(settings)) == (3, 2)
