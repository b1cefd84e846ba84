"""Kafka's jars: from a mirror, from the cache, and what is said when they cannot be had.

The mirror is this machine's own cache, served over HTTP: the whole way is walked, and Maven Central is left alone.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from headrace.streams.broker import Running, jars
from headrace.streams.broker.errors import ExtraMissingError, JarsUnavailableError
from headrace.streams.home import cache

KAFKA_JAR = "org/apache/kafka/kafka_2.13/4.3.1/kafka_2.13-4.3.1.jar"


class Mirror(SimpleHTTPRequestHandler):
    """Serves a Maven repository; the jar named in `spoilt` comes as somebody's sign-in page."""

    spoilt = ""

    def do_GET(self) -> None:
        if self.spoilt and self.path.endswith(self.spoilt):
            page = b"<html>Welcome to our guest network</html>"
            self.send_response(200)
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)
        else:
            super().do_GET()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def mirror(kafka: Running, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[type[Mirror]]:
    """An empty cache, and a mirror set in jgo's own file; the session's Kafka has filled the real cache before."""
    repository = cache() / "maven"
    handler = type("Handler", (Mirror,), {})
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(repository))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("JGO_CONFIG_FILE", str(tmp_path / "jgo.conf"))
        (tmp_path / "jgo.conf").write_text(f"[repositories]\ncentral = http://127.0.0.1:{server.server_port}\n")
        monkeypatch.setenv("HEADRACE_CACHE", str(tmp_path / "cache"))
        yield handler
        server.shutdown()


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty cache, and a proxy that does not answer."""
    monkeypatch.setenv("HEADRACE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("JGO_CONFIG_FILE", str(tmp_path / "none.conf"))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)


def ignore(_: str) -> None:
    pass


@pytest.mark.broker
def test_a_mirror_is_asked_once_and_the_cache_from_then_on(
    mirror: type[Mirror], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    first = jars.kafka_jars(told.append)
    assert all(jar.is_relative_to(cache()) for jar in first)
    names = {jar.name for jar in first}
    # one version of each, and the binding without which nothing is logged
    assert {"kafka_2.13-4.3.1.jar", "kafka-clients-4.3.1.jar", "log4j-slf4j-impl-2.25.4.jar"} <= names
    assert len([name for name in names if name.startswith("kafka-clients")]) == 1
    assert told == [
        "looking up the parts of Apache Kafka 4.3.1",
        f"fetching {len(first)} jars, 45 MB, this once, to {cache() / 'maven'}",
    ]
    monkeypatch.setenv("JGO_CONFIG_FILE", "/nowhere")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    assert jars.kafka_jars(told.append) == first
    assert len(told) == 2


@pytest.mark.broker
def test_a_jar_that_went_missing_is_fetched_again(mirror: type[Mirror]) -> None:
    first = jars.kafka_jars(ignore)
    first[3].unlink()
    assert jars.kafka_jars(ignore) == first
    assert first[3].is_file()


@pytest.mark.broker
@pytest.mark.provokes("HR405")
def test_a_jar_that_is_none_is_removed_and_the_next_try_mends_it(mirror: type[Mirror]) -> None:
    mirror.spoilt = KAFKA_JAR
    with pytest.raises(JarsUnavailableError, match=r"kafka_2.13-4.3.1.jar came broken and has been removed"):
        jars.kafka_jars(ignore)
    mirror.spoilt = ""
    assert all(jar.is_file() for jar in jars.kafka_jars(ignore))


@pytest.mark.broker
@pytest.mark.provokes("HR405")
def test_half_a_description_of_an_interrupted_look_up_is_removed(mirror: type[Mirror]) -> None:
    half = (cache() / "maven" / KAFKA_JAR).with_suffix(".pom")
    half.parent.mkdir(parents=True)
    half.write_text("<project><dependencies>")
    with pytest.raises(JarsUnavailableError, match="a description was broken and has been removed"):
        jars.kafka_jars(ignore)
    assert jars.kafka_jars(ignore)


@pytest.mark.broker
def test_a_listing_that_is_not_ours_is_made_anew(mirror: type[Mirror]) -> None:
    listing = cache() / "maven" / "kafka-4.3.1.json"
    listing.parent.mkdir(parents=True)
    for junk in ("", "null", "[1]", '["../../etc/none.jar"]'):
        listing.write_text(junk)
        assert len(jars.kafka_jars(ignore)) == len(json.loads(listing.read_text())) > 40


@pytest.mark.usefixtures("no_network")
@pytest.mark.provokes("HR405")
def test_without_a_network_the_host_and_the_way_out_are_named() -> None:
    with pytest.raises(JarsUnavailableError) as caught:
        jars.kafka_jars(ignore)
    assert "repo.maven.apache.org cannot be reached" in str(caught.value)
    assert "HTTPS_PROXY" in caught.value.mend


@pytest.mark.usefixtures("no_network")
@pytest.mark.provokes("HR404")
def test_without_the_extra_its_name_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jgo.maven", None)
    with pytest.raises(ExtraMissingError, match="jgo, which is not installed") as caught:
        jars.kafka_jars(ignore)
    assert "pip install 'headrace[broker]'" in caught.value.mend
