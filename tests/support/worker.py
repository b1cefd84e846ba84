"""`headrace run` as a child process: started, watched through its log and its web port, and ended as one likes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.support.client import until

__all__ = ["PLUGINS", "Worker"]

PLUGINS = Path(__file__).with_name("site")  # a distribution of steps that misbehave, found as a stranger's would be
ANSWER_S = 20.0


class Worker:
    """One running `headrace run FILE`.

    Args:
        file: the pipeline file.
        log: where its stderr goes.
        args: more of the command line.
        environment: more variables.
    """

    def __init__(self, file: Path, log: Path, args: Sequence[str] = (), environment: Mapping[str, str] = {}) -> None:
        self.log = log
        command = [sys.executable, "-m", "headrace", "run", str(file), "--web-port", "0", "--log", "json", *args]
        variables = {**os.environ, "PYTHONPATH": str(PLUGINS), **environment}
        with log.open("wb") as stderr:
            self.process = subprocess.Popen(command, cwd=file.parent, env=variables, stdout=stderr, stderr=stderr)
        self._port = 0

    @property
    def lines(self) -> list[str]:
        """Everything it wrote so far."""
        return self.log.read_text().splitlines()

    @property
    def events(self) -> list[dict[str, Any]]:
        """Its log lines; one that is not JSON fails."""
        return [json.loads(line) for line in self.lines]

    @property
    def warnings(self) -> list[str]:
        """What it logged above info."""
        return [event["message"] for event in self.events if event["level"] != "info"]

    def ready(self) -> Worker:
        """Wait until /readyz says so."""
        until(f"readiness of {self.log.name}", self._is_ready)
        return self

    def _is_ready(self) -> bool:
        assert self.process.poll() is None, f"it ended with {self.process.returncode}: {self.lines[-5:]}"
        return self.port != 0 and self.get("readyz")[0] == 200

    @property
    def port(self) -> int:
        """The web port that it says it has; 0 until then."""
        if not self._port:
            said = [line for line in self.lines if "health and metrics at" in line]
            self._port = int(said[0].partition("127.0.0.1:")[2].partition("/")[0]) if said else 0
        return self._port

    def get(self, path: str) -> tuple[int, str]:
        """Ask its web port; status and body. Status 0 when nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/{path}", timeout=ANSWER_S) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def figure(self, name: str, **labels: str) -> float:
        """Return the sum of a metric's samples that have these labels; 0 when there are none."""
        families = text_string_to_metric_families(self.get("metrics")[1])
        samples = [sample for family in families for sample in family.samples if sample.name == name]
        return sum(one.value for one in samples if labels.items() <= one.labels.items())

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """SIGSTOP: it is there, as a worker that a long batch or a slow disk holds, and reads nothing."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL: no chance to say or save anything."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def terminate(self, patience_s: float = 15.0) -> int:
        """SIGTERM, and the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(patience_s)

    def end(self, patience_s: float = 20.0) -> int:
        """Wait until it ends by itself, and return its exit code."""
        return self.process.wait(patience_s)
