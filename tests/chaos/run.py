"""One run: a pipeline under load, the faults of its schedule, and the judgement of what it left."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from tests.chaos import aside
from tests.chaos.broker import own_broker
from tests.chaos.checker import judge
from tests.chaos.conductor import Conductor
from tests.chaos.crew import Crew
from tests.chaos.ends import Due, Ends, source_of
from tests.chaos.faults import doing
from tests.chaos.feeder import Feeder
from tests.chaos.load import PARTITIONS, Placer, planted, records
from tests.chaos.order import Scope
from tests.chaos.raw import Tail, read_all
from tests.chaos.report import Report
from tests.chaos.schedule import Kind, draw
from tests.chaos.stand import LAYOUTS, calm_pipeline, register_model, stormy_pipeline, topics
from tests.chaos.watch import Watch
from tests.support.pipeline import Pipeline

__all__ = ["Settings", "run"]

QUIET_S = 60.0


class Settings(NamedTuple):
    """What a run is told.

    Attributes:
        seed: of load and schedule.
        faults: how many.
        records: how many at least; there are more when the faults are not over by then.
        groups: into how many processes the pipeline is cut.
        guarantee: `at_least_once` or `exactly_once`.
        kinds: of faults.
        least: faults of each kind, as far as there is room.
        pace_ms: how long the slowest process takes over a record.
        order: `path`, or `key` over several processes.
        slow: `retry_topic` lets some records wait aside.
    """

    seed: int
    faults: int
    records: int
    groups: int
    guarantee: str
    kinds: Sequence[Kind]
    least: int = 1
    pace_ms: float = 8.0
    order: str = "path"
    slow: str = ""

    @property
    def replay(self) -> str:
        """Return the command that runs the same again."""
        kinds = ",".join(kind.name.lower() for kind in self.kinds)
        ordered = " --order key" if self.order == "key" else ""
        ordered += f" --slow {self.slow}" if self.slow else ""
        return (
            f"python -m tests.chaos --seed {self.seed} --faults {self.faults} --records {self.records} "
            f"--groups {self.groups} --guarantee {self.guarantee} --kinds {kinds} --least {self.least} "
            f"--pace {self.pace_ms:g}{ordered}"
        )


def run(folder: Path, settings: Settings, say: Callable[[str], None]) -> Report:
    """Run it, and return what is to be said of it.

    Args:
        folder: an empty one, for everything that it needs.
        settings: what is run.
        say: told what happens, a line each.
    """
    began, layout = time.monotonic(), LAYOUTS[settings.groups]
    name = f"chaos-{settings.seed}"
    schedule = draw(
        settings.seed, settings.faults, settings.records, tuple(layout.stages), settings.kinds, least=settings.least
    )
    registry = register_model(folder)
    with own_broker(folder / "broker", has_disk=Kind.DISK in settings.kinds) as broker:
        stormy = stormy_pipeline(
            folder,
            name,
            broker.bootstrap,
            broker.wired,
            registry,
            layout=layout,
            pace_ms=settings.pace_ms,
            guarantee=settings.guarantee,
            order=settings.order,
            slow=settings.slow,
        )
        stormy.client.make_topic(name, PARTITIONS)
        crew = Crew(stormy, layout.stages, folder)
        try:
            crew.start_all()
            watch = Watch(stormy, layout.stages)
            front = next(iter(layout.stages))
            placer = Placer(name, int(time.time() * 1000))
            feeder = Feeder(
                broker.bootstrap, records(settings.seed), placer, settings.records, lambda: watch.committed(front)
            )
            conductor = Conductor(
                layout,
                pace_ms=settings.pace_ms,
                broker=broker,
                crew=crew,
                watch=watch,
                feeder=feeder,
                planted=partial(planted, settings.seed, reading=tuple(layout.stages.values())),
                say=say,
            )
            conductor.play(schedule, doing)
            feeder.close()
            due = feeder.due
            _await_ends(stormy, due, say)
            say(f"exit codes of the workers: {crew.end()}")
            ends = _ends(stormy)
            say("the same without faults")
            scope = Scope.KEY if settings.order == "key" else layout.scope
            waits = aside.waits if settings.slow else lambda offset: False
            findings = judge(due, ends, _calm(folder, stormy, registry, due), scope, waits)
            if settings.slow:
                say(f"{_waited(stormy)} records waited aside")
        except Exception:
            for number, worker in enumerate(stormy.workers, 1):
                say("\n".join((f"--- worker {number}:", *worker.lines[-8:])))
            raise
        finally:
            stormy.close()
    ordered = "order: key, " if settings.order == "key" else ""
    ordered += f"slow: {settings.slow}, " if settings.slow else ""
    return Report(
        title=f"{settings.guarantee}, groups: {settings.groups}, {ordered}seed {settings.seed}",
        scheduled=len(schedule),
        strikes=conductor.strikes,
        findings=findings,
        records=len(due),
        exactly_once=settings.guarantee == "exactly_once",
        deaths=crew.deaths,
        took_s=time.monotonic() - began,
        replay=settings.replay,
    )


def _waited(pipeline: Pipeline) -> int:
    """Return how many records waited aside; a run in which none did proves nothing of it."""
    ends = pipeline.client.ends(f"{pipeline.name}.retry.ingress")
    count = sum(end for _, end in ends.values())
    if not count:
        raise AssertionError("no record waited aside")
    return count


def _calm(folder: Path, stormy: Pipeline, registry: str, due: Sequence[Due]) -> Ends:
    calm = calm_pipeline(folder, f"{stormy.name}-calm", stormy.input, stormy.client.bootstrap, registry)
    try:
        worker = calm.run("--worker", "w1", HEADRACE_HOME=str(folder))
        _await_ends(calm, due, lambda line: None)
        worker.terminate(40)
        return _ends(calm)
    finally:
        calm.close()


def _await_ends(pipeline: Pipeline, due: Sequence[Due], say: Callable[[str], None]) -> None:
    """Wait until every record has an end, or until none has come for a minute: then the checker says which."""
    missing = {one.id for one in due}
    tail = Tail(pipeline.client, [topics(pipeline)["out"], pipeline.dead_topic])
    heard = time.monotonic()
    try:
        while missing and time.monotonic() - heard < QUIET_S:
            for seen in tail.more(0.5):
                missing.discard(source_of(seen) if seen.topic == pipeline.dead_topic else seen.body["id"])
                heard = time.monotonic()
    finally:
        tail.close()
    if missing:
        say(f"{len(missing)} records have not ended: {sorted(missing)[:5]}")


def _ends(pipeline: Pipeline) -> Ends:
    roles = topics(pipeline)
    exposures = f"{pipeline.name}.exposures"
    found = read_all(pipeline.client, [*roles.values(), pipeline.dead_topic, exposures])
    outputs = {role: found[name] for role, name in roles.items()}
    return Ends(pipeline.name, outputs, found[pipeline.dead_topic], found[exposures])
