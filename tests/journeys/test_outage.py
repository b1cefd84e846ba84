"""A broker that dies under load and comes back, and one that makes topics by itself as Kafka does by default."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from headrace.streams.broker import Running, launch, settings, start
from tests.conftest import stopped_at_last
from tests.journeys.conftest import ending
from tests.support.client import Client, until
from tests.support.pipeline import Pipeline

pytestmark = pytest.mark.broker

LARGE = 2_000_000
HEADROOM = 65_536


class OwnBroker:
    """A Kafka for this module alone, with Kafka's own default of making whatever topic it is asked about."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self.running: Running = start(home, port=0)
        self._is_dead = False

    def kill(self) -> None:
        os.kill(self.running.pid, signal.SIGKILL)
        self._is_dead = True

    def restart(self) -> None:
        """Start it again, unless it runs."""
        if self._is_dead:
            self.running = start(self._home, port=self.running.port)
            self._is_dead = False


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnBroker]:
    home = tmp_path_factory.mktemp("own")

    def as_by_default(*args: object, **named: object) -> str:
        ours = settings.server_settings(*args, **named)  # type: ignore[arg-type]
        return f"{ours}auto.create.topics.enable=true\nnum.partitions=1\nmessage.max.bytes={LARGE}\n"

    with pytest.MonkeyPatch.context() as patch, stopped_at_last(home):
        patch.setattr(launch, "server_settings", as_by_default)
        yield OwnBroker(home)


@pytest.fixture
def pipeline(broker: OwnBroker, tmp_path: Path, topic: Callable[..., str]) -> Iterator[Pipeline]:
    broker.restart()
    with ending(Pipeline(tmp_path, topic(), broker.running.bootstrap)) as made:
        yield made


def test_a_broker_that_makes_topics_by_itself_is_not_asked_about_missing_ones(pipeline: Pipeline) -> None:
    pipeline.write(topics={"create": False})
    worker = pipeline.start()
    assert worker.end() == 1
    assert worker.events[-1]["code"] == "HR211"
    known = pipeline.client.admin.list_topics(timeout=20).topics
    assert not [name for name in known if name.startswith(pipeline.name)]


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("guarantee", "away_s"), [("at_least_once", 0), ("exactly_once", 60)])
def test_a_broker_that_dies_under_load_is_waited_for_and_nothing_is_lost(
    broker: OwnBroker, pipeline: Pipeline, guarantee: str, away_s: float
) -> None:
    """Trap 6 as well: while a broker is away aiokafka writes a hundred lines a second."""
    delivery = {"guarantee": guarantee, "commit_every": "400ms"}
    pipeline.write(preprocess=[{"slow": {"ms": 2}}], topics={"partitions": 2}, delivery=delivery)
    worker = pipeline.run()
    messages = ({"value": json.dumps({"text": str(at)}), "partition": at % 2} for at in range(1_500))
    published = pipeline.client.publish(pipeline.input, *messages)
    until("a batch in flight", lambda: worker.figure("headrace_in_flight_records"))
    broker.kill()
    died = time.monotonic()
    until("its notice of it", lambda: "no Kafka broker answers at" in json.loads(worker.get("readyz")[1])["why"])
    assert worker.get("readyz")[0] == 503
    until("the end of the outage", lambda: time.monotonic() - died > away_s, patience_s=away_s + 10)
    assert worker.get("healthz")[0] == 200
    broker.restart()
    results, dead = pipeline.ended()
    assert dead == []
    copies = Counter(seen.body["id"] for seen in results)
    assert set(copies) == set(published)
    assert guarantee == "at_least_once" or set(copies.values()) == {1}
    until("its recovery", lambda: worker.get("readyz")[0] == 200)
    assert len(worker.lines) < 100
    assert {(event["pipeline"], event["stage"]) for event in worker.events} == {(pipeline.name, "main")}
    dead_limit = Client(broker.running.bootstrap).config(pipeline.dead_topic)["max.message.bytes"]
    assert dead_limit == str(LARGE + HEADROOM), "the input was made with the broker's own limit, and this one after it"

    broker.kill()
    until("its notice of it", lambda: worker.get("readyz")[0] == 503)
    begun = time.monotonic()
    assert worker.terminate(30) == 0, "nothing was in flight"
    assert time.monotonic() - begun < 28
