"""The code blocks of README and docs: language, what the fence says of them, and where they stand.

A fence says how its block is proven:

    yaml                      a whole pipeline file: it compiles
    yaml fragment             keys that replace those of a small pipeline: it compiles
    python                    a script: it runs and ends with 0
    console                   commands after `$`: they run, and print what is shown; `...` stands for anything
    console background        one command that goes on running: it comes to print what is shown
    json result               the body of a message on an output topic
    LANGUAGE no-run="REASON"  cannot be proven, and says why

`file=NAME` keeps a yaml, python, ini or json block as a file for the blocks after it; such a python block is not run
by itself.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

__all__ = ["PAGES", "ROOT", "Block", "read_blocks"]

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]

_FENCE = re.compile(
    r"^(?P<indent> *)(?P<ticks>`{3,}|~{3,})(?P<info>[^\n]*)\n(?P<text>.*?)^ *(?P=ticks)\s*$", re.M | re.S
)


class Block(NamedTuple):
    """A code block and what its fence says."""

    page: Path
    line: int
    language: str
    words: frozenset[str]
    settings: Mapping[str, str]
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT) if self.page.is_relative_to(ROOT) else self.page}:{self.line}"


def read_blocks(page: Path) -> list[Block]:
    """Return the code blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    return [_block(page, text, match) for match in _FENCE.finditer(text)]


def _block(page: Path, text: str, match: re.Match[str]) -> Block:
    language, *rest = shlex.split(match["info"]) or [""]
    settings = dict(word.split("=", 1) for word in rest if "=" in word)
    words = frozenset(word for word in rest if "=" not in word)
    return Block(page, text.count("\n", 0, match.start()) + 1, language, words, settings, match["text"])
