"""Records that kill the process: each ends as a dead letter after three deaths of its own, and its neighbours arrive.

And those that only happened to be in flight when somebody killed the process do not.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import stopped_at_last
from tests.journeys.conftest import ending
from tests.support.client import Seen, until
from tests.support.node import Node
from tests.support.pipeline import Pipeline
from tests.support.worker import Worker

pytestmark = [pytest.mark.broker, pytest.mark.timeout(300)]

PATIENCE_S = 150.0
APART = {"front": {"stages": ["ingress"]}, "echo": {"models": ["echo"]}}
GUARANTEES = pytest.mark.parametrize("guarantee", ["at_least_once", "exactly_once"])
PLACES = {"fused": ("preprocess", "ingress"), "apart": ("postprocess", "egress")}
"""Where the step stands that dies, and the stage that reads what it is given."""


class Crew:
    """One named worker of each group, started again whenever it ends."""

    def __init__(self, pipeline: Pipeline, *groups: str) -> None:
        self._pipeline, self.deaths = pipeline, 0
        self._workers = {group: self._start(group) for group in groups or ("main",)}

    def ready(self) -> Crew:
        for worker in self._workers.values():
            worker.ready()
        return self

    def work_off(self) -> tuple[list[Seen], list[Seen]]:
        """Start again who dies, until everything is through; return results and dead letters."""

        def is_through() -> bool:
            self.revive()
            return not any(self._pipeline.lags().values())

        until("an end of the lag", is_through, patience_s=PATIENCE_S)
        return self._pipeline.ended()

    def seen(self, count: int) -> list[Seen]:
        """Start again who died; return the dead letters, once there are so many."""
        self.revive()
        found = self._pipeline.client.all(self._pipeline.dead_topic)
        return found if len(found) >= count else []

    def revive(self) -> None:
        for group, worker in self._workers.items():
            if worker.process.poll() is not None:
                self.deaths += 1
                self._workers[group] = self._start(group)

    def end(self) -> list[int]:
        return [worker.terminate() for worker in self._workers.values()]

    def _start(self, group: str) -> Worker:
        return self._pipeline.start("--group", group, "--worker", "w1")


def write(pipeline: Pipeline, form: str, guarantee: str, **sections: Any) -> Path:
    """Write a file with a step that dies; return where that step writes down whom it was given."""
    file = pipeline.folder / "at-work"
    pipeline.write(
        **{PLACES[form][0]: [{"deadly": {"file": str(file)}}]},
        **{"groups": APART if form == "apart" else None, **sections},
        delivery={"guarantee": guarantee},
    )
    return file


def metadata(pipeline: Pipeline) -> list[str]:
    """What the committed offsets of ingress say besides."""
    return pipeline.client.metadata(pipeline.group, pipeline.input)


@pytest.mark.provokes("HR612")
@GUARANTEES
@pytest.mark.parametrize("form", ["fused", "apart"])
def test_records_that_kill_the_process_die_after_three_deaths_each_and_their_neighbours_arrive(
    pipeline: Pipeline, form: str, guarantee: str
) -> None:
    file = write(pipeline, form, guarantee)
    crew = Crew(pipeline, *(("front", "echo", "main") if form == "apart" else ())).ready()
    texts = [
        *(f"calm {at}" for at in range(20)),
        "kill a",
        "bright",
        "leave b",
        *(f"calm {at}" for at in range(20, 40)),
    ]
    published = pipeline.publish(*texts, key=b"ann")
    results, dead = crew.work_off()
    bad = {text: id_ for text, id_ in zip(texts, published, strict=True) if text.startswith(("kill", "leave"))}
    due = [id_ for id_ in published if id_ not in bad.values()]
    seen = [one.body["id"] for one in results]
    assert list(dict.fromkeys(seen)) == due, "nothing is lost, and all are in order"
    if guarantee == "exactly_once":
        assert seen == due
    _assert_letters(dead, bad, PLACES[form][1])
    runs = Counter(file.read_text().splitlines())
    assert crew.deaths == sum(runs[text] for text in bad), "each run was a death"
    assert all(3 <= runs[text] <= 6 for text in bad), (
        f"three alone, and before that those that nobody could tell: {runs}"
    )
    assert runs["leave b"] == 3, "the one behind was never in flight but alone"
    assert metadata(pipeline) == [""]
    assert crew.end() == [0] * (3 if form == "apart" else 1)


def _assert_letters(dead: Sequence[Seen], bad: dict[str, str], stage: str) -> None:
    names = ("code", "class", "stage", "attempt")
    said = {letter.body["text"]: [letter.header(f"headrace.{name}") for name in names] for letter in dead}
    assert said == {text: ["HR612", "author", stage, "3"] for text in bad}
    assert len(dead) == len(bad)
    for letter in dead:
        where = ":".join(letter.header(f"__streams.errors.{name}") for name in ("topic", "partition", "offset"))
        assert where == bad[letter.body["text"]]
        assert letter.key == b"ann"
        assert letter.value == json.dumps({"text": letter.body["text"]}).encode()


@GUARANTEES
def test_a_record_that_kills_egress_once_its_join_is_over_dies_although_no_message_brings_it(
    pipeline: Pipeline, guarantee: str
) -> None:
    file = pipeline.folder / "at-work"
    pipeline.write(
        models={"echo": "echo", "away": "echo"},
        route={"parallel": {"models": ["echo", "away"], "join": "best", "quorum": 2, "deadline": "1500ms"}},
        postprocess=[{"deadly": {"file": str(file)}}],
        groups={"away": {"models": ["away"]}},  # nobody ever starts it
        delivery={"guarantee": guarantee},
    )
    crew = Crew(pipeline).ready()
    texts = ["calm", "kill", "bright", "kill too", "soft"]
    published = pipeline.publish(*texts, key=b"ann")
    bad = {text: id_ for text, id_ in zip(texts, published, strict=True) if text.startswith("kill")}
    letters = until("both letters", lambda: crew.seen(2), patience_s=PATIENCE_S)
    _assert_letters(letters, bad, "egress")
    seen = [one.body["id"] for one in pipeline.outputs(3)]
    assert sorted(set(seen)) == sorted(set(published) - set(bad.values()))
    if guarantee == "exactly_once":
        assert len(seen) == 3
    runs = Counter(file.read_text().splitlines())
    assert all(3 <= runs[text] <= 6 for text in bad), f"three alone, and before that those of the time: {runs}"
    assert crew.end() == [0]


@GUARANTEES
def test_three_kills_by_an_operator_condemn_nobody(pipeline: Pipeline, guarantee: str) -> None:
    pipeline.write(preprocess=[{"slow": {"ms": 40}}], batch={"max_records": 16}, delivery={"guarantee": guarantee})
    pipeline.client.make_topic(pipeline.input)
    texts = [str(at) for at in range(60)]
    published = pipeline.publish(*texts, key=b"ann")
    for _ in range(3):
        worker = pipeline.start("--worker", "w1")
        until("a record in flight", lambda worker=worker: worker.port and worker.figure("headrace_in_flight_records"))  # type: ignore[misc]
        worker.kill()
        assert pipeline.client.lag(pipeline.group, pipeline.input) > 0
    assert metadata(pipeline) != [""], "they died without getting further, and it is known"
    worker = pipeline.run("--worker", "w1")
    results, dead = pipeline.ended()
    assert dead == []
    seen = [one.body["id"] for one in results]
    assert list(dict.fromkeys(seen)) == published
    if guarantee == "exactly_once":
        assert seen == published
    assert metadata(pipeline) == [""]
    assert worker.terminate() == 0


@GUARANTEES
def test_a_worker_that_is_told_to_end_leaves_no_suspect(pipeline: Pipeline, guarantee: str) -> None:
    file = pipeline.folder / "go"
    pipeline.write(preprocess=[{"hold": {"file": str(file)}}], delivery={"guarantee": guarantee})
    worker = pipeline.run("--worker", "w1")
    pipeline.publish("hold", key=b"ann")
    until("a record in flight", (pipeline.folder / "go.held").exists)
    assert '"by"' in metadata(pipeline)[0]
    worker.process.terminate()
    until("the mark's end", lambda: metadata(pipeline) == [""])
    worker.kill()  # before it is done: as whoever has no patience does
    file.touch()
    worker = pipeline.run("--worker", "w1")
    results, dead = pipeline.ended()
    assert (len(results), dead) == (1, [])
    assert not [line for line in worker.warnings if "one at a time" in line]
    assert worker.terminate() == 0


def test_somebody_else_s_metadata_is_no_journal(pipeline: Pipeline) -> None:
    pipeline.client.make_topic(pipeline.input)
    pipeline.publish("calm", "bright", key=b"ann")
    words = ["", "reset by hand", '{"headrace": 1}', '{"headrace": 7, "by": "later", "until": 2, "at": 0}', "[" * 4000]
    for at, said in enumerate(words):
        pipeline.client.commit(pipeline.group, pipeline.input, {0: 0}, metadata=said)
        worker = pipeline.run()
        assert len(pipeline.outputs(2 * (at + 1))) == 2 * (at + 1)
        pipeline.settled()
        assert worker.terminate() == 0
        assert worker.warnings == []
    assert pipeline.client.all(pipeline.dead_topic) == []


@GUARANTEES
def test_a_broker_that_keeps_no_metadata_is_named_once_and_nothing_else_is_lost(
    tmp_path: Path, topic: Callable[..., str], guarantee: str
) -> None:
    home = tmp_path / "own"
    with stopped_at_last(home):
        node = Node(home, {"offset.metadata.max.bytes": "8"}).start()
        with ending(Pipeline(tmp_path, topic(), node.bootstrap)) as pipeline:
            pipeline.write(topics={"partitions": 2}, delivery={"guarantee": guarantee})
            worker = pipeline.run()
            published = pipeline.publish(*(str(at) for at in range(20)))
            results, dead = pipeline.ended()
            assert {one.body["id"] for one in results} == set(published)
            assert dead == []
            (warning,) = worker.warnings
            assert "keeps no metadata with offsets (offset.metadata.max.bytes)" in warning
            assert worker.terminate() == 0


def test_status_names_the_partitions_whose_records_are_taken_one_at_a_time(pipeline: Pipeline) -> None:
    file = pipeline.folder / "go"
    pipeline.write(preprocess=[{"hold": {"file": str(file)}}])
    pipeline.client.make_topic(pipeline.input)
    pipeline.publish("hold 1", "hold 2", key=b"ann")
    for _ in range(2):
        worker = pipeline.start("--worker", "w1")
        held = pipeline.folder / "go.held"
        until("a record in flight", held.exists)
        held.unlink()
        until("its name", lambda: '"by"' in metadata(pipeline)[0])
        worker.kill()
    (stage,) = json.loads(pipeline.headrace("status", str(pipeline.file), "--json"))["stages"]
    (partition,) = stage["partitions"]
    assert partition["suspects"] == {"until": 2, "at": 0, "deaths": {}}
    assert "one at a time" in pipeline.headrace("status", str(pipeline.file))


def test_a_supervisor_starts_its_worker_again_until_the_record_is_a_dead_letter(pipeline: Pipeline) -> None:
    pipeline.client.make_topic(pipeline.input)
    write(pipeline, "fused", "at_least_once", groups={"echo": {"models": ["echo"]}})
    published = pipeline.publish("bright", "kill", "soft", key=b"ann")
    supervisor = pipeline.start()
    until("a dead letter", lambda: pipeline.client.all(pipeline.dead_topic), patience_s=PATIENCE_S)
    results, (letter,) = pipeline.ended()
    assert letter.header("headrace.code") == "HR612"
    assert list(dict.fromkeys(one.body["id"] for one in results)) == [published[0], published[2]]
    deaths = [line for line in supervisor.lines if "was killed by SIGKILL" in line]
    assert 3 <= len(deaths) <= 5
    assert supervisor.terminate(40) == 0
