"""The example of a plugin, as a stranger would have it: a distribution of its own, installed by pip, run on real Kafka.

It is built from a copy into a folder that only child processes see, so that no other test finds its steps.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from headrace.streams.broker import Running
from tests.support.client import Client
from tests.support.site_folder import headrace
from tests.support.worker import Worker

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "plugin"
FILE = EXAMPLE / "letters.yaml"
TAME = "It rained all day"
LOUD = "WHAT A WONDERFUL PAPER!"
LONG = "I have read your paper for many years and it has never been as good as today!!"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip installed the example."""
    copy, target = tmp_path_factory.mktemp("copy") / "plugin", tmp_path_factory.mktemp("installed")
    shutil.copytree(EXAMPLE, copy, ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__"))
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--target"]
    done = subprocess.run([*pip, target, copy], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return target


def test_its_own_tests_pass(site: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"]
    environment = {**os.environ, "PYTHONPATH": str(site), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        command, cwd=EXAMPLE, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout
    assert re.search(r"\b1[0-9] passed", done.stdout), done.stdout


def test_it_imports_nothing_of_headrace_but_the_public_names() -> None:
    modules = list(EXAMPLE.glob("headrace_example/*.py"))
    assert len(modules) == 3
    imports = {name for file in modules for name in re.findall(r"^(?:from|import) ([\w.]+)", file.read_text(), re.M)}
    assert {name for name in imports if name.startswith("headrace")} == {"headrace"}


def test_its_steps_are_listed_and_shown_with_where_they_come_from(site: Path) -> None:
    steps = json.loads(headrace(site, "plugins", "list", "--json").stdout)["steps"]
    found = {(step["kind"], step["name"], step["version"]) for step in steps if step["distribution"] != "headrace"}
    assert found == {("preprocess", "emphasis", "0.1.0"), ("router", "by-length", "0.1.0")}
    assert headrace(site, "plugins", "check").returncode == 0
    shown = headrace(site, "plugins", "show", "router", "by-length").stdout
    assert "from     headrace-example 0.1.0" in shown
    assert "words   whole number, at least 1  40        most words of a short text" in shown


def test_a_pipeline_that_uses_it_is_checked_as_well_as_any(site: Path, tmp_path: Path) -> None:
    assert headrace(site, "check", FILE).returncode == 0
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(FILE.read_text().replace("long: essays", "long: esays").replace("words: 12", "word: 12"))
    outcome = headrace(site, "check", wrong)
    assert "wrong.yaml:9:48 HR104 unknown key 'word' in route.by-length; did you mean 'words'?" in outcome.stderr
    wrong.write_text(FILE.read_text().replace("long: essays", "long: esays"))
    assert "HR111 the route names model 'esays'" in headrace(site, "check", wrong).stderr


def test_without_it_the_pipeline_is_refused_where_it_needs_it(tmp_path: Path) -> None:
    outcome = headrace(tmp_path, "check", FILE)
    assert outcome.returncode == 1
    assert "letters.yaml:5:14 HR108 no preprocess step named 'emphasis'" in outcome.stderr
    assert "letters.yaml:9:9 HR108 no router step named 'by-length'" in outcome.stderr


def test_the_schema_of_the_file_knows_its_options(site: Path) -> None:
    definitions = json.loads(headrace(site, "schema", "file").stdout)["$defs"]
    assert set(definitions["router.by-length"]["required"]) == {"short", "long"}
    assert "capitals" in definitions["preprocess.emphasis"]["properties"]


@pytest.fixture(scope="module")
def worker(site: Path, kafka: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    """One worker that runs the example's pipeline."""
    home = tmp_path_factory.mktemp("letters")
    environment = {"PYTHONPATH": str(site), "HEADRACE_BROKER": kafka.bootstrap, "HEADRACE_HOME": str(home)}
    running = Worker(FILE, home / "worker.log", (), environment)
    yield running.ready()
    if running.process.poll() is None:
        running.kill()


@pytest.mark.broker
def test_it_runs_on_kafka_and_results_carry_its_tag_and_its_route(worker: Worker, kafka: Running) -> None:
    client = Client(kafka.bootstrap)
    client.publish("letters", *({"value": json.dumps({"body": text})} for text in (TAME, LOUD, LONG)))
    results = {seen.body["tags"]["emphasis"]: seen.body for seen in client.first("letters.scored", 3)}
    assert {emphasis: body["model"] for emphasis, body in results.items()} == {
        "calm": "notes",
        "shouting": "notes",
        "insisting": "essays",
    }
    assert {body["route"]["policy"] for body in results.values()} == {"by-length"}
    assert results["insisting"]["route"]["reason"] == "more than 12 words"
    loud = client.first("letters.loud", 1)[0]
    assert loud.body["tags"] == {"emphasis": "shouting"}


@pytest.mark.broker
@pytest.mark.usefixtures("worker")
def test_every_command_of_its_readme_does_what_the_readme_says(site: Path, kafka: Running) -> None:
    """Installing and running are what the fixtures did; the rest is typed here as it stands."""
    typed = re.findall(r"^\$ (.+)$", (EXAMPLE / "README.md").read_text(), re.M)
    assert ".venv/bin/pip install ./examples/plugin" in typed
    program = f"{sys.executable} -m headrace"
    variables = {**os.environ, "PYTHONPATH": str(site), "HEADRACE_BROKER": kafka.bootstrap}
    printed = ""
    for command in (one for one in typed if ".venv/bin/headrace" in one and " run " not in one):
        line = command.replace(".venv/bin/headrace", program) + (" --count 1" if " tail " in command else "")
        done = subprocess.run(
            ["bash", "-c", line], cwd=ROOT, env=variables, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        printed += done.stdout
    assert "by-length" in printed
    assert '"emphasis"' in printed
