"""How cost and memory grow: with stages apart, keys, partitions, a backlog, and the size of records."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from benchmarks.bench import Bench, Rate, headrace
from benchmarks.curve import Curve, Line, relative
from benchmarks.figures import Bar, Table

__all__ = ["measure"]

HEAD = """\
headrace: 1
pipeline: {name}
input: {{topic: {topic}, text: body, unit: user}}
preprocess: [normalise]
output: [{{topic: {{name: {name}.out}}}}]
"""
MODEL = "models: {quick: lexicon}\n"
GROUPS = {
    1: "",
    2: "groups: {front: {stages: [ingress]}}\n",
    3: "groups: {front: {stages: [ingress]}, back: {stages: [egress]}}\n",
}
EXPERIMENT = """\
experiments:
  looks: {{variants: {{control: {{weight: 1}}, treatment: {{weight: 1, set: {{preprocess: []}}}}}}}}
"""
ONCE = "delivery: {guarantee: exactly_once, commit_every: 100ms}\n"
KEYS, PARTITIONS, BACKLOGS, KILOBYTES = (100, 1000, 10_000, 100_000), (4, 16, 64), (50, 500), (0.2, 2, 20, 100, 500)
FASTEST, MOST_MB = 100_000, 400
"""Records, and megabytes, a second: more than a pipeline of one core gets through, so that there is a backlog."""
WARM = 4000
FLAT, LARGE_FLAT_MB = 1.1, 100
"""Memory is flat: so many times as much at most with ten times the backlog; so many MB more with the largest records,
of which about 30 MB are fetched, decoded and encoded at once."""
_TEXT = "This may be the strongest film since the other one, and it is not a long one. "


@dataclass(frozen=True)
class Point:
    """One thing to measure: what the file says, and the topic it reads.

    Attributes:
        file: the pipeline file behind its head.
        topic: filled before.
        warm: records that do not count.
        partitions: of the topics it reads and writes.
    """

    topic: str
    file: str = ""
    warm: int = WARM
    partitions: int = 4


@dataclass
class _Seen:
    """Rates of points, for each size and each run."""

    rates: dict[Point, list[Rate]] = field(default_factory=dict)

    def cost(self, points: Sequence[Point], name: str = "pipeline") -> Line:
        """Return the microseconds of CPU time a record."""
        return Line(name, "CPU µs a record", [[1e6 / rate.cpu for rate in self.rates[point]] for point in points])

    def memory(self, points: Sequence[Point], name: str = "resident memory") -> Line:
        """Return the most memory at once."""
        return Line(name, "MB", [[rate.peak_mb for rate in self.rates[point]] for point in points])


def measure(bench: Bench, runs: int, seconds: float) -> list[Table]:
    """Return a table and a picture for each kind of growth; all points of it in turn, run by run."""
    kinds = (_stages, _keys, _partitions, _backlog, _sizes)
    return [kind(bench, lambda points: _measured(bench, points, runs, seconds), seconds).table() for kind in kinds]


Measured = Callable[[Sequence[Point]], _Seen]


def _stages(bench: Bench, measured: Measured, seconds: float) -> Curve:
    bench.fill("growth-stages", _values(int(FASTEST * (seconds + 2))))
    points = [Point("growth-stages", MODEL + groups) for groups in GROUPS.values()]
    seen = measured(points)
    return Curve(
        name="growth-stages",
        title="Growth: stages apart",
        axis="processes, one or more stages each",
        sizes=list(GROUPS),
        lines=[seen.cost(points, "all processes"), seen.memory(points, "all processes")],
        notes=["all in one; ingress apart; ingress, model and egress apart, with a link between each; model `lexicon`"],
    )


def _keys(bench: Bench, measured: Measured, seconds: float) -> Curve:
    points = [Point(f"growth-keys-{keys}", EXPERIMENT.format()) for keys in KEYS]
    for keys, point in zip(KEYS, points, strict=True):
        bench.fill(point.topic, _values(int(FASTEST * (seconds + 2)), keys), keys=keys)
    seen = measured(points)
    return Curve(
        name="growth-keys",
        title="Growth: keys",
        axis="keys, each a unit of an experiment",
        sizes=KEYS,
        lines=[seen.cost(points), seen.memory(points)],
        notes=["a unit that is seen for the first time costs an exposure besides its result"],
    )


def _partitions(bench: Bench, measured: Measured, seconds: float) -> Curve:
    for count in PARTITIONS:
        bench.fill(f"growth-partitions-{count}", _values(int(FASTEST * (seconds + 2))), count)
    least = [Point(f"growth-partitions-{count}", partitions=count) for count in PARTITIONS]
    once = [Point(f"growth-partitions-{count}", ONCE, partitions=count) for count in PARTITIONS]
    seen = measured([*least, *once])
    cost = seen.cost(least, "at least once")
    return Curve(
        name="growth-partitions",
        title="Growth: partitions",
        axis="partitions",
        sizes=PARTITIONS,
        lines=[cost, seen.cost(once, "exactly once"), seen.memory(least, "at least once")],
        bars=[Bar("records per CPU second at least once, 64 partitions / 4", 1 / relative(cost.seen, -1, 0), 0.9)],
    )


def _backlog(bench: Bench, measured: Measured, seconds: float) -> Curve:
    points = [Point(f"growth-backlog-{thousands}") for thousands in BACKLOGS]
    for thousands, point in zip(BACKLOGS, points, strict=True):
        bench.fill(point.topic, _values(thousands * max(1000, int(FASTEST * (seconds + 2) / BACKLOGS[0]))))
    seen = measured(points)
    memory = seen.memory(points)
    return Curve(
        name="growth-backlog",
        title="Growth: backlog",
        axis="backlog, relative",
        sizes=(1, BACKLOGS[1] / BACKLOGS[0]),
        lines=[seen.cost(points), memory],
        bars=[Bar("memory, ten times the backlog / once", relative(memory.seen, -1, 0), FLAT, at_most=True)],
    )


def _sizes(bench: Bench, measured: Measured, seconds: float) -> Curve:
    points = []
    for kilobytes in KILOBYTES:
        fastest = min(FASTEST, MOST_MB * 1000 / kilobytes)
        point = Point(f"growth-size-{kilobytes:g}".replace(".", "-"), warm=int(fastest / 8))
        bench.fill(point.topic, _values(int(fastest * (seconds + 2)), size=int(kilobytes * 1000)))
        points.append(point)
    seen = measured(points)
    memory = seen.memory(points)
    more = max(max(values) for values in memory.seen) - min(min(values) for values in memory.seen)
    return Curve(
        name="growth-size",
        title="Growth: size of records",
        axis="kB a record",
        sizes=KILOBYTES,
        lines=[seen.cost(points), memory],
        bars=[Bar("memory, greatest - least of all sizes", more, LARGE_FLAT_MB, " MB", at_most=True)],
    )


def _measured(bench: Bench, points: Sequence[Point], runs: int, seconds: float) -> _Seen:
    seen = _Seen({point: [] for point in points})
    for run in range(runs):
        for at, point in enumerate(points):
            seen.rates[point].append(_rate(bench, point, f"{point.topic}-{at}-{run}", seconds))
        said = ", ".join(f"{rates[-1].cpu:,.0f} at {rates[-1].peak_mb:,.0f} MB" for rates in seen.rates.values())
        print(f"  {points[0].topic} {run + 1}/{runs}, records per CPU second: {said}", file=sys.stderr)
    return seen


def _rate(bench: Bench, point: Point, name: str, seconds: float) -> Rate:
    file, target = bench.folder / f"{name}.yaml", f"{name}.out"
    file.write_text(HEAD.format(name=name, topic=point.topic) + point.file)
    bench.make(target, point.partitions)
    with bench.child(headrace("run", str(file)), f"{name}.log") as process:
        return bench.rate(process, target, warm=point.warm, seconds=seconds, by_reading=point.file == ONCE)


def _values(count: int, keys: int = 100, size: int = 100) -> Sequence[bytes]:
    text = (_TEXT * (size // len(_TEXT) + 1))[: max(10, size - 30)]
    distinct = [json.dumps({"body": text, "user": user}).encode() for user in range(keys)]
    return (distinct * (count // keys + 1))[:count]
