"""Plays the demo: every step is a command that the user can type, run as a process of its own."""

from __future__ import annotations

import json
import queue
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from headrace.streams.demo.download import sha256_of
from headrace.streams.demo.errors import DemoCommandError
from headrace.streams.demo.scene import Scene, tombstone
from headrace.streams.demo.tally import Tally

__all__ = [
    "Child",
    "collect",
    "command",
    "drain",
    "ensure_broker",
    "following",
    "import_model",
    "publish",
    "running",
    "shard_model",
]

MODEL = "reviews"
READY_S = 60.0
END_S = 120.0
QUIET_S = 1.5  # `tail` polls five times a second
_PORT = re.compile(r"127\.0\.0\.1:(\d+)/readyz")


def command(*words: str | Path) -> str:
    """Run a Headrace command to its end and return what it printed on stdout.

    Raises:
        DemoCommandError: HR428, it failed; with what it said.
    """
    done = subprocess.run(_line(*words), capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise DemoCommandError(" ".join(map(str, words)), done.returncode, said[-1] if said else "nothing")
    return done.stdout


def ensure_broker(environ: Mapping[str, str]) -> str:
    """Return a sentence about the Kafka of this demo: the one that HEADRACE_BROKER names, else one started here."""
    named = environ.get("HEADRACE_BROKER")
    return f"{named}, as HEADRACE_BROKER says" if named else command("broker", "start").strip()


def import_model(folder: Path) -> str:
    """Register the model unless the registry has this very one; return its reference, such as `reviews@1`."""
    wanted = sha256_of(folder / "model.onnx")
    for model in json.loads(command("model", "list", "--json")):
        if model["name"] == MODEL and model["files"].get("model.onnx", {}).get("sha256") == wanted:
            return str(model["reference"])
    return str(json.loads(command("model", "import", MODEL, folder, "--json"))["reference"])


def shard_model(reference: str, parts: int) -> str:
    """Cut the model, unless the registry has it in so many parts already; return the reference of the cut one."""
    for model in json.loads(command("model", "list", "--json")):
        cut_from = model.get("lineage", {}).get("sharded_from", "")
        if cut_from == reference and len(model.get("shards") or ()) == parts:
            return str(model["reference"])
    return str(json.loads(command("model", "shard", reference, "--parts", str(parts), "--json"))["reference"])


def publish(scene: Scene, run: str) -> None:
    """Publish the reviews with ids, so that results can be told apart, and then the bad records."""
    command("publish", scene.pipeline, scene.reviews, "--id", "id", "--source", run)
    command("publish", scene.pipeline, scene.bad, "--tombstone", tombstone(run))


class Child:
    """A command that runs on: its lines come through a queue, so that nobody waits for one it does not write."""

    def __init__(self, *words: str | Path, stream: str) -> None:
        self._words = " ".join(map(str, words))
        self.process: subprocess.Popen[str] = subprocess.Popen(
            _line(*words),
            stdout=subprocess.PIPE if stream == "stdout" else subprocess.DEVNULL,
            stderr=subprocess.PIPE if stream == "stderr" else subprocess.DEVNULL,
            text=True,
            errors="replace",
            start_new_session=True,  # Ctrl-C reaches the demo alone, which then ends its children in order
        )
        self.lines: queue.Queue[str | None] = queue.Queue()
        pipe = self.process.stdout if stream == "stdout" else self.process.stderr
        self._reader = threading.Thread(target=self._read, args=(pipe,), daemon=True)
        self._reader.start()
        self.last = ""

    def line(self, timeout_s: float) -> str | None:
        """Return the next line; None when there is none in time.

        Raises:
            DemoCommandError: HR428, the command has ended.
        """
        try:
            line = self.lines.get(timeout=timeout_s)
        except queue.Empty:
            return None
        if line is None:
            raise DemoCommandError(self._words, self.process.wait(), self.last)
        self.last = line.strip() or self.last
        return line

    def stop(self) -> int:
        """Ask it to end as `kill` would, and return its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(END_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def _read(self, pipe: Any) -> None:
        for line in pipe:
            self.lines.put(line)
        self.lines.put(None)


@contextmanager
def following(scene: Scene) -> Iterator[Child]:
    """Follow results and dead letters while the context lasts, from the start: none can be missed that way."""
    child = Child("tail", scene.pipeline, "--json", "--from-start", stream="stdout")
    try:
        yield child
    finally:
        child.stop()


@contextmanager
def running(scene: Scene) -> Iterator[Child]:
    """Run the pipeline while the context lasts; enters once it is ready."""
    groups = len(json.loads(command("plan", scene.pipeline, "--json"))["groups"])
    child = Child("run", scene.pipeline, "--web-port", "0", stream="stderr")
    try:
        if groups > 1:
            _await_all(child, groups)
        else:
            _await_ready(child)
        yield child
    finally:
        child.stop()


def collect(child: Child, tally: Tally, on_line: Callable[[Mapping[str, Any] | None], None]) -> None:
    """Take lines until every record has come to its end, or nothing has come for long."""
    last = time.monotonic()
    while not tally.is_whole and time.monotonic() - last < END_S:
        line = child.line(0.5)
        if line is not None:
            last = time.monotonic()
            on_line(tally.take(json.loads(line)))


def drain(child: Child, tally: Tally) -> None:
    """Take what still comes once the pipeline has stopped: a record that came twice would be among it."""
    while (line := child.line(QUIET_S)) is not None:
        tally.take(json.loads(line))


def _await_all(child: Child, groups: int) -> None:
    """Wait until the supervisor has said of each process that it is ready."""
    give_up, ready = time.monotonic() + READY_S, 0
    while ready < groups:
        line = child.line(0.5)
        ready += line is not None and " is ready after " in line
        if time.monotonic() > give_up:
            raise DemoCommandError("run", 0, f"not ready within {READY_S:.0f} s")


def _await_ready(child: Child) -> None:
    give_up, port = time.monotonic() + READY_S, None
    while time.monotonic() < give_up:
        line = child.line(0.1) if port is None else None
        found = _PORT.search(line or "")
        port = found.group(1) if found else port
        if port is not None and _is_ready(port):
            return
        if child.process.poll() is not None:
            raise DemoCommandError("run", child.process.returncode, child.last)
        if port is not None:
            time.sleep(0.1)  # readiness is asked for, as any orchestrator asks
    raise DemoCommandError("run", 0, f"not ready within {READY_S:.0f} s")


def _is_ready(port: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _line(*words: str | Path) -> list[str]:
    return [sys.executable, "-m", "headrace", *map(str, words)]
