"""Read a Dockerfile, and run the install steps of its first stage in a folder that stands for the image's root."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

__all__ = ["Image", "Instruction", "read_dockerfile", "sent_to_the_engine"]

# What a build in a folder must not touch: its own root stands for these.
OWN_PATHS = ("/opt/headrace", "/src", "/etc/headrace", "/var/lib/headrace", "/var/cache/headrace")


class Instruction(NamedTuple):
    """A line of a Dockerfile: its word, and what follows; `words` when that is in exec form."""

    name: str
    text: str

    @property
    def words(self) -> list[str]:
        words: list[str] = json.loads(self.text)
        return words


def read_dockerfile(path: Path) -> list[list[Instruction]]:
    """Return the instructions of each stage."""
    lines = re.sub(r"^\s*#[^\n]*\n", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    stages: list[list[Instruction]] = []
    for line in re.sub(r"\\\n", " ", lines).splitlines():
        name, _, text = line.strip().partition(" ")
        if name == "FROM":
            stages.append([])
        if name:
            stages[-1].append(Instruction(name, " ".join(text.split())))
    return stages


def sent_to_the_engine(root: Path) -> list[str]:
    """Return the files that .dockerignore lets through; the last rule that fits a file, or a folder of it, wins."""
    rules = [line for line in (root / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    files = (path.relative_to(root) for path in root.rglob("*") if path.is_file() and ".venv" not in path.parts)
    return [str(path) for path in files if not _is_ignored(path, rules)]


def _is_ignored(path: Path, rules: list[str]) -> bool:
    ignored = False
    for rule in rules:
        pattern = rule.removeprefix("!").removeprefix("**/")
        places = [str(path), *map(str, path.parents), *(path.parts if "**/" in rule else ())]
        if any(fnmatch(place, pattern) for place in places):
            ignored = not rule.startswith("!")
    return ignored


class Image:
    """A folder that stands for an image's root."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._workdir = root

    def path(self, inside: str) -> Path:
        """Return where a path of the image lies."""
        return self._root / inside.lstrip("/")

    def here(self, text: str) -> str:
        """Return a command with the image's own paths as they are here."""
        return re.sub("|".join(OWN_PATHS), lambda path: str(self.path(path[0])), text)

    def build(self, stage: list[Instruction], context: Path) -> None:
        """Carry out WORKDIR, COPY and RUN of a stage."""
        for instruction in stage:
            if instruction.name == "WORKDIR":
                self._workdir = self.path(instruction.text)
                self._workdir.mkdir(parents=True, exist_ok=True)
            elif instruction.name == "COPY":
                self._copy(instruction.text.split(), context)
            elif instruction.name == "RUN":
                self._run(instruction.text)

    def _copy(self, words: list[str], context: Path) -> None:
        *sources, target = words
        sent = sent_to_the_engine(context)
        for source in sources:
            folder = context if source == "." else (context / source).parent
            found = [name for name in sent if source in (".", name)]
            assert found, f"COPY {source}: .dockerignore keeps it from the engine"
            for name in found:
                to = self._workdir / target / (context / name).relative_to(folder)
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(context / name, to)

    def _run(self, command: str) -> None:
        env = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
        done = subprocess.run(
            ["bash", "-c", self.here(command).replace("--no-cache-dir ", "")],  # this machine may keep its downloads
            cwd=self._workdir,
            env={**env, "PIP_NO_COMPILE": "1"},  # 15 s on two cores, and nothing is started often enough to need it
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"RUN {command} ended with {done.returncode}:\n{done.stdout}"
