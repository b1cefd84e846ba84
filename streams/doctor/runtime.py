"""What models can run on: onnxruntime, and whether CUDA really works."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from headrace.streams.doctor.finding import Finding

__all__ = ["cuda_finding", "look_at_runtime"]

_TRIAL_S = 120
_TRIAL = ("-m", "headrace.streams.doctor.trial")
_LOADING = re.compile(r"Failed to load (?:shared )?library \S+ with error: (.+)")
_NEEDS = re.compile(r"Require (cuDNN \S+ and CUDA \S+?)\.?\s")


def look_at_runtime(program: Sequence[str] = _TRIAL) -> Iterator[Finding]:
    """Yield what onnxruntime says of itself, and why it does not use CUDA.

    A child tries it: loading a GPU's libraries can end a process, and onnxruntime gives its reasons to stderr only.

    Args:
        program: Python's arguments for the child.
    """
    command = [sys.executable, *program]
    try:
        trial = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=_TRIAL_S, check=False)
    except subprocess.TimeoutExpired:
        yield Finding("onnxruntime", "fail", f"does not answer within {_TRIAL_S} s", "reinstall onnxruntime")
        return
    try:
        facts = json.loads(trial.stdout)
    except ValueError:
        fault = trial.stderr.strip().splitlines()[-1:] or [f"it ended with status {trial.returncode}"]
        yield Finding("onnxruntime", "fail", f"cannot be used: {fault[0]}", "reinstall onnxruntime")
        return
    providers = ", ".join(name.removesuffix("ExecutionProvider") for name in facts["providers"])
    yield Finding("onnxruntime", "ok", f"{facts['version']}, built for {providers}")
    yield cuda_finding(facts, trial.stderr)


def cuda_finding(facts: Mapping[str, Any], log: str) -> Finding:
    """Return what the child's facts and onnxruntime's log say of CUDA."""
    if facts["cuda"]:
        return Finding("cuda", "ok", "works; models use it unless their options say otherwise")
    if facts["driver"]:  # an ordinary machine: nothing is wrong with it
        return Finding("cuda", "ok", f"not used, models run on the processor: {facts['driver']}")
    if "CUDAExecutionProvider" not in facts["providers"]:
        fact = "there is a GPU, but the installed onnxruntime is built without CUDA"
        return Finding("cuda", "warn", fact, "pip install onnxruntime-gpu in its place")
    return Finding("cuda", "warn", f"there is a GPU, but it cannot be used: {_reason(log)}", _mend(log))


def _reason(log: str) -> str:
    loading = _LOADING.search(log)
    needs = _NEEDS.search(log)
    said = loading[1].strip() if loading else next(iter(log.strip().splitlines()[-1:]), "onnxruntime gives no reason")
    return f"{said} (it needs {needs[1]})" if needs else said


def _mend(log: str) -> str:
    if "cannot open shared object file" in log:
        return "pip install 'onnxruntime-gpu[cuda,cudnn]' brings the libraries"
    return "update the NVIDIA driver or onnxruntime-gpu so that they fit"
