"""How this command line was called, so that a command printed for copying works as it stands."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

__all__ = ["command_line"]


def command_line(*words: str | Path) -> str:
    """Return a headrace command for the shell that this one was typed into."""
    return " ".join((_program(), *(shlex.quote(str(word)) for word in words)))


def _program() -> str:
    called = Path(sys.argv[0])
    if called.name != "headrace" or not called.exists():
        return f"{shlex.quote(sys.executable)} -m headrace"
    on_path = shutil.which("headrace")
    if on_path and os.path.samefile(on_path, called):
        return "headrace"
    return shlex.quote(str(called))
