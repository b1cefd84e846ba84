"""How long a killed child of `headrace run` is away: from SIGKILL until it reads again, each group of a pipeline."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil

from benchmarks.bench import Bench, headrace
from benchmarks.figures import Bar, Table, spread
from headrace.streams.supervisor.state import ChildState, read_states

PIPELINE = """\
headrace: 1
pipeline: restart
input: {topic: restart, text: body}
models: {quick: lexicon}
output: [{topic: {name: restart.out}}]
groups: {front: {stages: [ingress]}, quick: {models: [quick]}}
"""
GROUPS = ("front", "quick", "main")
PATIENCE_S = 60.0


def measure(bench: Bench, runs: int) -> Table:
    """Return the table of seconds; the broker of the bench must be up, and all cores are free to the children."""
    file = bench.folder / "restart.yaml"
    file.write_text(PIPELINE)
    took: dict[str, list[float]] = {group: [] for group in GROUPS}
    with bench.child(headrace("run", str(file)), "restart.log") as process:
        process.cpu_affinity(list(range(os.cpu_count() or 1)))
        states = Path(bench.environ["HEADRACE_HOME"], "run", "restart.0.json")
        _await(process, states, lambda found: all(child.doing == "ready" for child in found.values()))
        for run in range(runs):
            for group in GROUPS:
                took[group].append(_kill(process, states, group))
            told = ", ".join(f"{group} {took[group][-1]:.1f}" for group in GROUPS)
            print(f"  restart {run + 1}/{runs}: seconds: {told}", file=sys.stderr)
    return Table(
        title="A killed worker",
        columns=("SIGKILL of a child until it reads again", "seconds"),
        rows=[(f"group {group}", spread(took[group])) for group in GROUPS],
        bars=[
            Bar(f"restart of group {group}, the slowest", max(took[group]), 4.0, " s", at_most=True) for group in GROUPS
        ],
        notes=["named workers under the supervisor; a worker without a name waits for the session's end besides (6 s)"],
    )


def _kill(process: psutil.Process, states: Path, group: str) -> float:
    before = read_states(states)[group]
    if before.pid is None:
        raise SystemExit(f"group {group} has no process")
    begun = time.time()
    os.kill(before.pid, signal.SIGKILL)
    found = _await(process, states, lambda found: found[group].starts > before.starts and found[group].doing == "ready")
    return found[group].since - begun


def _await(
    process: psutil.Process, states: Path, is_so: Callable[[Mapping[str, ChildState]], bool]
) -> dict[str, ChildState]:
    give_up = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up:
        found = dict(read_states(states))
        if found.keys() == set(GROUPS) and is_so(found):
            return found
        if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
            raise SystemExit("the measured process ended; look at its log")
        time.sleep(0.02)
    raise SystemExit(f"not all children were ready within {PATIENCE_S:.0f} s")
