"""`headrace plugins`: what is installed, what it may be told, and what is broken about it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from headrace.core.catalog import installed_catalog
from headrace.core.step import KINDS
from headrace.streams.cli import plugins
from tests.support.site_folder import headrace as headrace_in
from tests.support.site_folder import put_plugin

Headrace = Callable[..., Any]

SHOUT = """
from pydantic import Field
from headrace import Options, hookimpl
class ShoutOptions(Options):
    marks: int = Field(default=1, ge=0, description="exclamation marks added")
def shout(record, options: ShoutOptions):
    \"\"\"Shout.

    So that all can hear it.
    \"\"\"
    return record
@hookimpl
def headrace_register(catalog): catalog.preprocess("{step}", shout, options=ShoutOptions)
"""
BROKEN = "import no_such_library"
HALF = (
    SHOUT.format(step="whisper").replace("(catalog): ", "(catalog):\n    ") + "    raise ValueError('I cannot go on')\n"
)
VAGUE = """
from collections.abc import Callable
from headrace import Options, hookimpl
class VagueOptions(Options):
    call: Callable[[int], int] | None = None
def vague(record, options): return record
@hookimpl
def headrace_register(catalog): catalog.preprocess("vague", vague, options=VagueOptions)
"""
FILE = """\
headrace: 1
pipeline: reviews
input: {{topic: reviews, text: body}}
preprocess: [{step}]
models: {{quick: lexicon}}
output: [{{topic: {{name: reviews.scored}}}}]
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with a good plugin, two that cannot be loaded, two rivals, and one whose options say nothing."""
    folder = tmp_path / "site"
    put_plugin(folder, "shouting", SHOUT.format(step="shout"), version="2.5")
    put_plugin(folder, "broken", BROKEN)
    put_plugin(folder, "half", HALF)
    put_plugin(folder, "rival", SHOUT.format(step="normalise"))
    put_plugin(folder, "vague", VAGUE)
    return folder


@pytest.fixture
def checked(site: Path, tmp_path: Path) -> Callable[[str], Any]:
    """Check a file with one preprocess step, in a process that finds the folder."""

    def check(step: str) -> Any:
        file = tmp_path / "p.yaml"
        file.write_text(FILE.format(step=step))
        return headrace_in(site, "check", file)

    return check


def test_the_kinds_are_those_there_are() -> None:
    assert plugins._KINDS == KINDS


def test_every_installed_step_is_listed_with_where_it_comes_from(headrace: Headrace) -> None:
    outcome = headrace("plugins", "list")
    heading, *rows = outcome.out.splitlines()
    assert (outcome.code, heading.split()[:3]) == (0, ["KIND", "NAME", "FROM"])
    assert len(rows) == len(installed_catalog().specs())
    assert any(row.startswith("preprocess   normalise    headrace ") for row in rows)


def test_only_one_kind_is_listed_when_asked(headrace: Headrace) -> None:
    facts = json.loads(headrace("plugins", "list", "--kind", "sink", "--json").out)
    assert {step["kind"] for step in facts["steps"]} == {"sink"}
    assert (facts["broken"], facts["doubled"]) == ([], [])
    assert headrace("plugins", "list", "--kind", "sauce").code == 2


def test_a_step_is_shown_with_its_options_its_words_and_its_distribution(site: Path) -> None:
    shown = headrace_in(site, "plugins", "show", "preprocess", "shout")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "from     shouting 2.5" in shown.stdout
    assert "Shout.\n\nSo that all can hear it." in shown.stdout
    assert "marks   whole number, at least 0  1        exclamation marks added" in shown.stdout


def test_a_program_gets_the_same_as_json(headrace: Headrace) -> None:
    facts = json.loads(headrace("plugins", "show", "router", "single", "--json").out)
    assert (facts["kind"], facts["name"], facts["distribution"]) == ("router", "single", "headrace")
    assert [(option["key"], option["type"], option["default"]) for option in facts["options"]] == [
        ("model", "text", "required")
    ]


def test_a_step_without_options_says_so(headrace: Headrace) -> None:
    assert headrace("plugins", "show", "codec", "json").out.endswith("Options\nnone\n")


def test_a_step_that_there_is_not_gets_the_nearest_name(headrace: Headrace) -> None:
    outcome = headrace("plugins", "show", "preprocess", "normalize")
    assert (outcome.code, outcome.err) == (
        1,
        "HR108 no preprocess step named 'normalize'; did you mean 'normalise'?\n",
    )


def test_a_step_of_a_broken_plugin_is_refused_with_what_the_plugin_raised(site: Path) -> None:
    shown = headrace_in(site, "plugins", "show", "preprocess", "broken")
    assert shown.returncode == 1
    assert shown.stderr.startswith("HR601 plugin 'broken' could not be loaded: ModuleNotFoundError: No module named")


def test_a_sound_installation_passes_the_check(headrace: Headrace) -> None:
    outcome = headrace("plugins", "check")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.endswith(" steps: ok\n")
    assert json.loads(headrace("plugins", "check", "--json").out) == {"ok": True, "problems": []}


def test_the_list_names_what_could_not_be_loaded_and_why(site: Path) -> None:
    listed = headrace_in(site, "plugins", "list")
    assert listed.returncode == 0
    assert "broken  broken 1.0  ModuleNotFoundError: No module named 'no_such_library'" in listed.stdout
    assert "half    half 1.0    ValueError: I cannot go on" in listed.stdout
    assert "preprocess 'normalise' is registered by headrace and by rival" in listed.stdout
    facts = json.loads(headrace_in(site, "plugins", "list", "--json").stdout)
    assert [plugin["name"] for plugin in facts["broken"]] == ["broken", "half"]
    assert "shout" in {step["name"] for step in facts["steps"]}
    assert "whisper" not in {step["name"] for step in facts["steps"]}, "half a plugin would work by chance"


@pytest.mark.provokes("HR606")
def test_the_check_names_every_problem_at_once_and_fails(site: Path) -> None:
    outcome = headrace_in(site, "plugins", "check")
    assert outcome.returncode == 1
    codes = [line.split()[0] for line in outcome.stderr.splitlines()]
    assert codes == ["HR601", "HR601", "HR602", "HR606"]
    assert "the options of preprocess 'vague' (vague) cannot be described" in outcome.stderr.splitlines()[-1]
    facts = json.loads(headrace_in(site, "plugins", "check", "--json").stdout)
    assert [problem["code"] for problem in facts["problems"]] == codes


@pytest.mark.parametrize("step", ["shout", "{shout: {marks: 3}}", "vague"])
def test_a_pipeline_that_does_not_use_a_broken_plugin_is_not_bothered(checked: Any, step: str) -> None:
    outcome = checked(step)
    assert (outcome.returncode, outcome.stderr) == (0, "")


@pytest.mark.parametrize(
    ("step", "line"),
    [
        ("broken", "HR601 plugin 'broken' could not be loaded: ModuleNotFoundError"),
        ("whisper", "HR108 no preprocess step named 'whisper' (plugins that could not be loaded: broken, half;"),
        ("normalise", "HR602 preprocess 'normalise' is registered by headrace and by rival; uninstall one of them"),
    ],
)
def test_a_pipeline_that_uses_what_is_broken_is_refused_where_it_does(checked: Any, step: str, line: str) -> None:
    outcome = checked(step)
    assert outcome.returncode == 1
    assert f"p.yaml:4:14 {line}" in outcome.stderr
