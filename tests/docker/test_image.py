"""The image, as far as it can be proven without a container engine: its install steps run in a clean environment.

What is not proven: the base image, useradd, volumes, and the engine itself. The docs say so.
"""

from __future__ import annotations

import os
import signal
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.docker.dockerfile import Image, Instruction, read_dockerfile, sent_to_the_engine
from tests.support.port import free_port

if TYPE_CHECKING:
    from headrace.streams.broker import Running

pytestmark = pytest.mark.timeout(400)  # the first test to come installs 74 packages
ROOT = Path(__file__).parents[2]
PIPELINE = """\
headrace: 1
pipeline: NAME
input: {topic: NAME, text: body}
models: {words: lexicon}
output: [{topic: {name: NAME.scored}}]
"""


@pytest.fixture(scope="session")
def stages() -> list[list[Instruction]]:
    return read_dockerfile(ROOT / "docker" / "Dockerfile")


@pytest.fixture(scope="session")
def image(stages: list[list[Instruction]], tmp_path_factory: pytest.TempPathFactory) -> Image:
    """The root of the image after its first stage."""
    built = Image(tmp_path_factory.mktemp("image"))
    built.build(stages[0], ROOT)
    return built


def only(stages: list[list[Instruction]], name: str) -> Instruction:
    (found,) = (one for one in stages[-1] if one.name == name)
    return found


def settings(stages: list[list[Instruction]], image: Image) -> dict[str, str]:
    """Return the environment that the image gives its process."""
    pairs = dict(pair.split("=", 1) for pair in only(stages, "ENV").text.split())
    own = {name: image.here(value) for name, value in pairs.items() if name != "PATH"}
    return {**os.environ, **own, "PATH": f"{image.path('/opt/headrace/bin')}:{os.environ['PATH']}"}


def answer(image: Image, *words: str) -> subprocess.CompletedProcess[str]:
    command = [str(image.path("/opt/headrace/bin") / words[0]), *words[1:]]
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


def test_the_process_is_no_root_and_gets_its_signals(stages: list[list[Instruction]]) -> None:
    assert only(stages, "USER").text.isdigit()
    assert int(only(stages, "USER").text) > 0
    assert only(stages, "ENTRYPOINT").words == ["headrace"]
    assert only(stages, "CMD").words[:1] == ["run"]


def test_the_engine_gets_the_code_and_nothing_beside_it() -> None:
    sent = sent_to_the_engine(ROOT)
    assert {"core/api/__init__.py", "streams/loop.py", "setup.cfg", "README.md", "LICENSE"} <= set(sent)
    assert {name.partition("/")[0] for name in sent if "/" in name} == {"core", "plugins", "streams", "docker"}


def test_the_entry_point_answers(image: Image) -> None:
    assert answer(image, "headrace", "--version").stdout.startswith("headrace, version ")


def test_nothing_is_missing_but_what_was_left_out(image: Image) -> None:
    found = answer(image, "pip", "check").stdout.splitlines()
    assert [line for line in found if "which is not installed" not in line] == []
    assert len(found) == 1
    assert found[0].endswith("requires onnxruntime-gpu, which is not installed.")


def test_onnxruntime_is_the_one_for_processors(image: Image) -> None:
    found = answer(image, "python", "-c", "import onnxruntime as o; print(*o.get_available_providers())").stdout
    assert "CPUExecutionProvider" in found
    assert "CUDA" not in found


@pytest.mark.broker
def test_the_command_runs_a_pipeline_is_healthy_and_ends_well(
    image: Image, stages: list[list[Instruction]], kafka: Running, topic: Callable[..., str], tmp_path: Path
) -> None:
    file, port = image.path("/etc/headrace/pipeline.yaml"), str(free_port())
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(PIPELINE.replace("NAME", topic()))
    env = {**settings(stages, image), "HEADRACE_BROKER": kafka.bootstrap}
    command = [word.replace("8080", port) for word in only(stages, "CMD").words]
    with started(["headrace", *map(image.here, command)], env, image.path("/var/lib/headrace")) as process:
        wait_for(process, "partitions assigned")
        check = only(stages, "HEALTHCHECK").text.partition("CMD ")[2]
        health = Instruction("CMD", check.replace("8080", port)).words
        subprocess.run(health, env=env, check=True)
        assert urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz").status == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def test_without_a_broker_it_says_what_to_set(image: Image, stages: list[list[Instruction]], tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(PIPELINE.replace("NAME", "unset"))
    env = {name: value for name, value in settings(stages, image).items() if name != "HEADRACE_BROKER"}
    command = [str(image.path("/opt/headrace/bin/headrace")), "run", str(tmp_path / "p.yaml")]
    done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("HR223 ")
    assert "HEADRACE_BROKER" in done.stderr


@contextmanager
def started(command: list[str], env: dict[str, str], folder: Path) -> Iterator[subprocess.Popen[str]]:
    folder.mkdir(parents=True, exist_ok=True)
    with subprocess.Popen(command, env=env, cwd=folder, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for(process: subprocess.Popen[str], words: str) -> None:
    """Read the process's log until the words are in it."""
    assert process.stderr is not None
    seen = []
    for line in process.stderr:
        seen.append(line)
        if words in line:
            return
    raise AssertionError(f"it ended without {words!r}:\n{''.join(seen)}")
