"""The folder in which the blocks of one page are proven, in order, as a newcomer would type them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from ruamel.yaml import YAML

from headrace.core.errors import HeadraceError
from headrace.core.plan.compile import compile_file
from headrace.core.wire.result import ResultBody
from tests.docs.background import Background
from tests.docs.blocks import Block
from tests.docs.output import agrees
from tests.support.port import free_port

__all__ = ["Playground"]

SKELETON = """\
headrace: 1
pipeline: fragment
input: {topic: fragment, text: body}
models: {quick: lexicon}
output: [{topic: {name: fragment.scored}}]
"""
SITE = "site"
PAGES_PORT = "8080"  # what the pages say; here it may belong to somebody else


class Playground:
    """Proves blocks. What they leave behind is there for the blocks after them.

    Args:
        folder: where everything happens.
        broker: the address of Kafka that clients and commands find in HEADRACE_BROKER.
        patience_s: seconds that a command may take.
    """

    def __init__(self, folder: Path, broker: str, patience_s: float = 60) -> None:
        self._folder, self._patience_s, self._port = folder, patience_s, str(free_port())
        self._running: list[Background] = []
        self._env = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(folder / SITE),
            "HEADRACE_HOME": str(self.home),
            "HEADRACE_BROKER": broker,
            "COLUMNS": "100",
            "KAFKA_PASSWORD": "as the pages name them",
            "KEY_PASSWORD": "as the pages name them",
        }

    @property
    def home(self) -> Path:
        """The state folder of the page's commands."""
        return self._folder / ".headrace"

    def prove(self, block: Block) -> None:
        """Check or run a block.

        Raises:
            AssertionError: it is not true; with its place.
        """
        if "no-run" in block.settings:
            assert len(block.settings["no-run"]) > 10, f"{block} gives no reason for no-run"
            return
        prove = getattr(self, f"_prove_{block.language}", None)
        assert prove is not None, f"{block}: nothing proves {block.language!r}; add no-run='the reason'"
        if "file" in block.settings:
            (self._folder / block.settings["file"]).write_text(block.text, encoding="utf-8")
        try:
            prove(block)
        except (AssertionError, ValueError, HeadraceError) as error:
            raise AssertionError(f"{block} is not true: {error}") from error

    def close(self) -> None:
        """Stop what runs in the background, as Ctrl-C would; it must end well."""
        while self._running:
            self._running.pop().stop(self._patience_s)

    def _prove_yaml(self, block: Block) -> None:
        file = self._folder / block.settings.get("file", "block.yaml")
        file.write_text(_whole(block.text) if "fragment" in block.words else block.text, encoding="utf-8")
        if (self._folder / SITE).exists():  # a plugin was installed; only a new process finds it
            done = self._shell(f"headrace check {file.name}")
            assert done.returncode == 0, done.stdout
        else:
            compile_file(file, registry=str(self.home / "registry"), environ=self._env)

    def _prove_python(self, block: Block) -> None:
        if "file" in block.settings:
            compile(block.text, str(block), "exec")
            return
        (self._folder / "block.py").write_text(block.text.replace(PAGES_PORT, self._port), encoding="utf-8")
        done = self._shell("python block.py")
        assert done.returncode == 0, f"it ended with {done.returncode}:\n{done.stdout}"

    def _prove_json(self, block: Block) -> None:
        if "result" in block.words:
            ResultBody.model_validate_json(block.text)
        else:
            assert "file" in block.settings, "say what the JSON is: result, or file=NAME"

    def _prove_toml(self, block: Block) -> None:
        assert "file" in block.settings, "say which file it is: file=NAME"

    def _prove_bash(self, block: Block) -> None:
        assert "install" in block.words, "make it a console block, or say no-run='the reason'"
        assert block.text == "pip install .\n", "`install` proves `pip install .` and nothing else"
        done = self._shell(f"python -m pip install -q --no-deps --target {SITE} .")
        assert done.returncode == 0, done.stdout

    def _prove_console(self, block: Block) -> None:
        for command, shown in _commands(block.text.replace(PAGES_PORT, self._port)):
            if "background" in block.words:
                self._running.append(Background(command, self._folder, self._env))
                self._running[-1].await_output(shown, self._patience_s)
                continue
            printed = self._shell(command).stdout
            assert agrees(shown, printed), f"$ {command}\nshown:\n{shown}\nprinted:\n{printed}"

    def _shell(self, command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", command],
            cwd=self._folder,
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=self._patience_s,
            check=False,
        )


def _whole(fragment: str) -> str:
    """Return a whole pipeline file whose keys are replaced by the fragment's."""
    lines = SKELETON.splitlines(keepends=True)
    given = YAML(typ="safe").load(fragment)
    return "".join(line for line in lines if line.partition(":")[0] not in given) + fragment


def _commands(text: str) -> Iterator[tuple[str, str]]:
    """Yield each command of a console block with the output shown for it."""
    assert text.startswith("$ "), "a console block begins with a command, `$ ...`"
    for part in f"\n{text}".split("\n$ ")[1:]:
        command, _, shown = part.partition("\n")
        while command.endswith("\\"):
            more, _, shown = shown.partition("\n")
            command = f"{command}\n{more}"
        yield command, shown
