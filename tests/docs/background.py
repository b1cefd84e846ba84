"""A command of a page that goes on running while the blocks after it do their work."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.docs.output import begins

__all__ = ["Background"]


class Background:
    """Starts a command and collects what it prints."""

    def __init__(self, command: str, folder: Path, env: Mapping[str, str]) -> None:
        self._command, self._printed, self._ended = command, "", False
        self._news = threading.Condition()
        self._process = subprocess.Popen(
            ["bash", "-c", f"exec {command}"],
            cwd=folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def await_output(self, shown: str, patience_s: float) -> None:
        """Wait until the command has printed what the page shows; fail when it does not."""
        with self._news:
            self._news.wait_for(lambda: begins(shown, self._printed) or self._ended, patience_s)
        assert begins(shown, self._printed), f"$ {self._command}\nshown:\n{shown}\nprinted:\n{self._printed}"

    def stop(self, patience_s: float) -> None:
        """End the command as SIGTERM does, and demand that it ended well."""
        self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(patience_s)
        finally:
            self._process.kill()
            self._reader.join(patience_s)
        assert code in (0, 130, -signal.SIGTERM), f"$ {self._command} ended with {code}:\n{self._printed}"

    def _read(self) -> None:
        stdout: Any = self._process.stdout
        for line in stdout:
            with self._news:
                self._printed += line
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()
