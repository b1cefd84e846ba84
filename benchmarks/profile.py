"""Where the time goes: CPU by subject of some pipelines, as a table, and a flame graph of each, both by py-spy."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks import ffnn, ffnn_model, minilm, model_free
from benchmarks.bench import Bench, Rate, headrace
from benchmarks.figures import Table
from benchmarks.stacks import SUBJECTS, shares

__all__ = ["Profile", "measure", "table", "titled"]

SAMPLES_A_SECOND = 200
NATIVE = "MiniLM"
WARM_S = 2


@dataclass(frozen=True)
class Profile:
    """What a pipeline's time went into: the share of each subject, how fast it was meanwhile, and the picture."""

    shares: Mapping[str, float]
    rate: Rate
    flames: bytes


def measure(bench: Bench, texts: list[str], seconds: float) -> Table:
    """Return the table; each pipeline is watched for so many seconds, half of them for the picture."""
    _fill(bench, texts, seconds)
    found = {}
    for title, file in _files(bench).items():
        found[title] = _profile(bench, file, seconds, ["--gil"] if title != NATIVE else [])
        print(f"  profile of {title}: {found[title].rate.cpu:,.0f} records per CPU second", file=sys.stderr)
    return table(found)


def table(found: Mapping[str, Profile]) -> Table:
    """Return the table of some pipelines: for each subject its share and the microseconds of a record."""
    return Table(
        title="Where the time goes",
        columns=("CPU time, share and µs a record", *found),
        rows=[
            *(
                (subject, *(_cell(profile.shares[subject], profile.rate) for profile in found.values()))
                for subject in SUBJECTS
            ),
            ("all", *(_cell(1, profile.rate) for profile in found.values())),
        ],
        notes=[
            f"printed by `make profile`: py-spy, {SAMPLES_A_SECOND} samples a second; the innermost frame that belongs"
            " to a subject decides; samples of the main thread and of the steps' count by the CPU time that each had",
            f"of the thread that has Python's lock, as the other one may only wait for it: what libraries do without"
            f" the lock is not seen; with {NATIVE} of all threads that run, as there that is nearly all",
            "fetch, send and commit are aiokafka's and what we do around it; connection is what serves all three",
        ],
        images={f"flames-{title.replace(' ', '-').replace(',', '')}.svg": each.flames for title, each in found.items()},
    )


def _cell(share: float, rate: Rate) -> str:
    return f"{share:.1%} ({share * 1e6 / rate.cpu:,.1f})"


def _fill(bench: Bench, texts: list[str], seconds: float) -> None:
    values = [json.dumps({"body": text, "user": at % 100}).encode() for at, text in enumerate(texts)]
    for topic, fastest in (("plain", 100_000), ("minilm", minilm.FASTEST)):
        count = int(fastest * (2 * seconds + WARM_S + 2))
        bench.fill(topic, (values * (count // len(values) + 1))[:count])
    ffnn.prepare(bench)
    rows = ffnn_model.records("raw")
    bench.fill("ffnn-raw", rows * int(ffnn.FASTEST["raw"] * (2 * seconds + WARM_S) / len(rows) + 1))


def _files(bench: Bench) -> dict[str, Path]:
    """Return the pipeline files by what they are called in the table."""
    texts = {
        "no model": model_free.PIPELINE.format(name="profile-plain", guarantee="at_least_once"),
        "no model, exactly once": model_free.PIPELINE.format(name="profile-once", guarantee="exactly_once"),
        "FFNN raw": ffnn.pipeline("profile-ffnn", "raw", "at_least_once"),
        NATIVE: minilm.pipeline("profile-minilm"),
    }
    files = {}
    for at, (title, text) in enumerate(texts.items()):
        files[title] = bench.folder / f"profile-{at}.yaml"
        files[title].write_text(text)
    return files


def _profile(bench: Bench, file: Path, seconds: float, which: Sequence[str]) -> Profile:
    name = file.read_text().split("pipeline: ")[1].split()[0]
    stacks, flames = file.with_suffix(".txt"), file.with_suffix(".svg")
    with bench.child(headrace("run", str(file)), f"{name}.log") as process:
        rate = bench.rate(process, f"{name}.out", warm=256, seconds=WARM_S)
        before = _cpu_by_thread(process)
        how = ["--rate", str(SAMPLES_A_SECOND), "--duration", str(max(1, int(seconds / 2)))]
        watch = [_py_spy(), "record", "--pid", str(process.pid), *which, *how]
        bench.run(*watch, "--format", "raw", "--output", str(stacks))
        spent = {at: cpu - before.get(at, 0) for at, cpu in _cpu_by_thread(process).items()}
        bench.run(*watch, "--format", "flamegraph", "--output", str(flames))
    main = spent[process.pid] / sum(spent.values())
    return Profile(shares(stacks.read_text().splitlines(), main), rate, titled(flames.read_text(), name).encode())


def _cpu_by_thread(process: psutil.Process) -> dict[int, float]:
    return {each.id: each.user_time + each.system_time for each in process.threads()}


def titled(picture: str, title: str) -> str:
    """Return a flame graph with this title; py-spy writes its own command line there, with folders of the machine."""
    return re.sub(r'(<text id="title"[^>]*>)[^<]*', lambda found: f"{found[1]}{title}", picture)


def _py_spy() -> str:
    """Return the program, which its package puts beside this Python."""
    program = Path(sys.executable).with_name("py-spy")
    if not program.exists():
        raise SystemExit("py-spy is not installed: pip install 'headrace[bench]'")
    return str(program)
