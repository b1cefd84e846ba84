"""A Kafka client that knows nothing of Headrace publishes every kind of message, and reads what became of each.

One worker runs for all of these tests. Messages go to the only partition in the order of `MESSAGES`, so each ends
between neighbours that show whether order is kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from headrace.core.wire.result import ResultBody
from tests.journeys.conftest import MakePipeline, ending
from tests.support.client import Seen
from tests.support.pipeline import Pipeline

pytestmark = pytest.mark.broker

TRACE = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
MAX_BYTES = 4_000


def said(text: Any, **more: Any) -> dict[str, Any]:
    return {"value": json.dumps({"text": text, **more})}


def event(id: str, text: str, **attributes: Any) -> dict[str, Any]:
    known = {"specversion": "1.0", "id": id, "source": "/shop", "type": "review", **attributes}
    value = json.dumps({**known, "data": {"text": text, "user": "ann"}})
    return {"value": value, "headers": [("content-type", b"application/cloudevents+json; charset=utf-8")]}


GOOD: dict[str, dict[str, Any]] = {
    "plain": {**said("plain", user="ann"), "key": b"ann"},
    "no key": said("no key"),
    "key of bytes": {**said("key of bytes"), "key": b"\xff\xfe\x00"},
    "empty key": {**said("empty key"), "key": b""},
    "empty text": said(""),
    "strange headers": {
        **said("strange headers"),
        "headers": [("mine", b"\x00\xff"), ("mine", b"again"), ("null", None), ("", b"no name"), ("ce_region", b"eu")],
    },
    "traced": {**said("traced"), "headers": [("traceparent", TRACE), ("tracestate", b"a=1,b=2")]},
    "broken trace": {**said("broken trace"), "headers": [("traceparent", b"nonsense"), ("tracestate", b"a=1")]},
    "binary event": {
        **said("binary event"),
        "headers": [("ce_specversion", b"1.0"), ("ce_id", b"42"), ("ce_source", b"/shop"), ("ce_type", b"review")],
    },
    "structured event": event("43", "structured event"),
    "event of its own time": event("44", "event of its own time", expirytime="2999-01-01T00:00:00Z"),
    "surrogates": {"value": b'{"text": "half \\ud83d an emoji", "user": "\\udc00", "\\ud800": 1}'},
    "redriven": {**said("redriven"), "headers": [("headrace.code", b"HR501"), ("headrace.attempt", b"4")]},
    "unsure": said("0.2 unsure"),
    "as large as it may be": said("x" * (MAX_BYTES - len(json.dumps({"text": ""})))),
}
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "tombstone": ({"value": None, "key": b"ann"}, "HR502"),
    "tombstone without a key": ({"value": None}, "HR502"),
    "binary noise": ({"value": bytes(range(128, 255))}, "HR510"),
    "broken JSON": ({"value": b'{"text": "a'}, "HR511"),
    "an empty value": ({"value": b""}, "HR511"),
    "a JSON list": ({"value": b'["text"]'}, "HR506"),
    "a JSON number": ({"value": b"42"}, "HR506"),
    "a JSON string": ({"value": b'"text"'}, "HR506"),
    "JSON null": ({"value": b"null"}, "HR506"),
    "no text": ({"value": b'{"body": "text"}'}, "HR504"),
    "a null text": (said(None), "HR504"),
    "a text that is a number": (said(42), "HR505"),
    "one byte too large": (said("x" * (MAX_BYTES - len(json.dumps({"text": ""})) + 1)), "HR503"),
    "too large by its headers": ({**said("x"), "headers": [("h", b"x" * MAX_BYTES)]}, "HR503"),
    "an expiry time that is none": ({**said("x"), "headers": [("ce_expirytime", b"soon")]}, "HR507"),
    "an event without an id": (event("", "x"), "HR513"),
    "an attempt that is null": ({"value": None, "key": b"k", "headers": [("headrace.attempt", None)]}, "HR502"),
    "a redriven one": ({"value": b"4", "headers": [("headrace.attempt", b"4"), ("mine", b"x")]}, "HR506"),
}
COMPRESSIONS = ("gzip", "snappy", "lz4", "zstd")
LATE = {**said("late"), "headers": [("ce_expirytime", b"2020-01-01T00:00:00Z")]}
LARGE = said("big 3000", user="large")
MOODY = said("no mood at all", user="moody")


class Ended(NamedTuple):
    """What was published, by name, and everything that came of it."""

    positions: dict[str, str]
    results: list[Seen]
    others: dict[str, list[Seen]]
    dead: list[Seen]

    def result(self, name: str) -> Seen:
        """The only result of the message of this name."""
        (found,) = [seen for seen in self.results if place(seen.body) == self.positions[name]]
        return found

    def letters(self, name: str) -> list[Seen]:
        return [seen for seen in self.dead if origin(seen) == self.positions[name]]

    def letter(self, name: str) -> Seen:
        """The only dead letter of the message of this name."""
        (found,) = self.letters(name)
        return found


def place(body: Any) -> str:
    source = body["source"]
    return f"{source['topic']}:{source['partition']}:{source['offset']}"


def origin(letter: Seen) -> str:
    return ":".join(letter.header(f"__streams.errors.{part}") for part in ("topic", "partition", "offset"))


@pytest.fixture(scope="module")
def pipeline(make_pipeline: MakePipeline) -> Iterator[Pipeline]:
    with ending(make_pipeline("foreign")) as made:
        made.client.make_topic(f"{made.name}.small", 1, max_message_bytes="2000")
        made.write(
            input={"topic": made.input, "text": "text", "unit": "user", "max_bytes": MAX_BYTES},
            preprocess=["normalise"],
            models={"quick": {"echo": {"label": "q"}}, "expert": "echo"},
            route={"cascade": {"order": ["quick", "expert"], "accept": 0.9}},
            output=[
                {"topic": {"name": made.output}},
                {"topic": {"name": f"{made.name}.status", "when": "status == 'expired' || output.score < 0.5"}},
                {"topic": {"name": f"{made.name}.small", "when": "unit == 'large'"}},
                {"topic": {"name": f"{made.name}.moody", "when": "unit == 'moody' && output.mood == 'sad'"}},
            ],
            topics={},
        )
        made.client.make_topic(made.input, 1)
        made.run()
        yield made


@pytest.fixture(scope="module")
def ended(pipeline: Pipeline) -> Ended:
    good, bad = list(GOOD.items()), [(name, sent) for name, (sent, _) in BAD.items()]
    named = [pair for both in zip(bad, [*good, *good], strict=False) for pair in both]
    named = [*dict(named).items(), *[pair for pair in good if pair[0] not in dict(named)]]
    named += [("late", LATE), ("large", LARGE), ("moody", MOODY)]
    positions = pipeline.client.publish(pipeline.input, *(sent for _, sent in named))
    by_name = dict(zip([name for name, _ in named], positions, strict=True))
    for kind in COMPRESSIONS:
        many = [said(f"{kind} {number}") for number in range(20)]
        places = pipeline.client.publish(pipeline.input, *many, **{"compression.type": kind, "linger.ms": 100})
        by_name |= {f"{kind} {number}": position for number, position in enumerate(places)}
    results, dead = pipeline.ended()
    others = {topic: pipeline.client.all(f"{pipeline.name}.{topic}") for topic in ("status", "small", "moody")}
    return Ended(by_name, results, others, dead)


def test_every_message_ends_exactly_once_and_in_order(ended: Ended) -> None:
    delivered = [place(seen.body) for seen in ended.results]
    buried = [origin(seen) for seen in ended.dead if not seen.header("headrace.output")]
    assert sorted([*delivered, *buried, ended.positions["late"]]) == sorted(ended.positions.values())
    offsets = [seen.body["source"]["offset"] for seen in ended.results]
    keyed = {seen.body["id"]: seen.partition for seen in ended.results}
    assert len(keyed) == len(offsets)
    for partition in set(keyed.values()):
        own = [seen.body["source"]["offset"] for seen in ended.results if seen.partition == partition]
        assert own == sorted(own)


def test_every_body_is_what_the_contract_says(ended: Ended, pipeline: Pipeline) -> None:
    for seen in ended.results:
        body = ResultBody.model_validate(seen.body)
        assert (body.pipeline, body.status, body.reason) == (pipeline.name, "ok", None)
        assert body.time.utcoffset() is not None
        assert body.timings.total >= body.timings.queue >= 0
        assert (body.attempt, body.experiments, body.tags) == (1, [], {})
        assert body.plan == seen.body["plan"] == ended.results[0].body["plan"]
        assert body.model == body.version in ("quick", "expert")


def test_a_result_is_a_cloudevent_with_an_id_of_its_own(ended: Ended, pipeline: Pipeline) -> None:
    ids = set()
    for seen in ended.results:
        assert seen.header("ce_specversion") == "1.0"
        assert seen.header("ce_type") == "headrace.result.v1"
        assert seen.header("ce_source") == f"/headrace/{pipeline.name}"
        assert seen.header("ce_time") == seen.body["time"]
        assert seen.header("content-type") == "application/json"
        ids.add(seen.header("ce_id"))
    assert len(ids) == len(ended.results)


@pytest.mark.parametrize("name", ["plain", "no key", "key of bytes", "empty key"])
def test_the_key_is_that_of_the_message_byte_for_byte(ended: Ended, name: str) -> None:
    key = GOOD[name].get("key")
    seen = ended.result(name)
    assert seen.key == key
    readable = key is None or key != b"\xff\xfe\x00"
    assert seen.body["key"] == (key.decode() if key is not None and readable else None)
    assert seen.body.get("key_base64") == (None if readable else "//4A")


@pytest.mark.parametrize("name", ["plain", "empty text", "redriven"])
def test_an_ordinary_message_has_the_id_of_its_place(ended: Ended, name: str) -> None:
    assert ended.result(name).body["id"] == ended.positions[name]


@pytest.mark.parametrize(("name", "id"), [("binary event", "/shop|42"), ("structured event", "/shop|43")])
def test_an_event_has_the_id_that_its_publisher_gave_it(ended: Ended, name: str, id: str) -> None:
    assert ended.result(name).body["id"] == id


def test_a_unit_is_read_from_the_value_also_inside_an_envelope(ended: Ended) -> None:
    assert [ended.result(name).body["unit"] for name in ("plain", "structured event", "no key")] == ["ann", "ann", None]


def test_headers_that_mean_nothing_to_us_travel_through(ended: Ended) -> None:
    sent = GOOD["strange headers"]["headers"]
    assert [
        pair for pair in ended.result("strange headers").headers if pair[0] in ("mine", "null", "", "ce_region")
    ] == sent
    assert "headrace.code" not in dict(ended.result("redriven").headers)


def test_a_trace_travels_through_and_a_broken_one_begins_anew(ended: Ended) -> None:
    traced, broken = ended.result("traced"), ended.result("broken trace")
    assert (traced.header("traceparent"), traced.header("tracestate")) == (TRACE.decode(), "a=1,b=2")
    assert broken.header("traceparent").startswith("00-")
    assert "tracestate" not in dict(broken.headers)


def test_lone_surrogates_survive_where_they_can_and_models_get_a_text(ended: Ended) -> None:
    body = ended.result("surrogates").body
    assert body["unit"] == "\udc00"
    assert body["output"]["text"] == "half \ufffd an emoji"


def test_a_cascade_says_who_was_asked_and_why(ended: Ended) -> None:
    sure, unsure = ended.result("plain").body, ended.result("unsure").body
    assert (sure["model"], sure["assigned_model"], sure["route"]["path"]) == ("quick", "quick", ["quick"])
    assert (sure["route"]["policy"], sure["route"]["reason"]) == ("cascade", "quick scored 1, at least 0.9")
    assert (unsure["model"], unsure["assigned_model"], unsure["route"]["path"]) == (
        "expert",
        "quick",
        ["quick", "expert"],
    )
    assert unsure["route"]["reason"] == "quick scored 0.2, less than 0.9"
    assert unsure["output"]["label"] == "unsure"


@pytest.mark.parametrize("kind", COMPRESSIONS)
def test_every_compression_is_read(ended: Ended, kind: str) -> None:
    texts = [ended.result(f"{kind} {number}").body["output"]["text"] for number in range(20)]
    assert texts == [f"{kind} {number}" for number in range(20)]


@pytest.mark.parametrize("name", BAD)
def test_a_bad_message_is_a_dead_letter_as_it_came(ended: Ended, pipeline: Pipeline, name: str) -> None:
    sent, code = BAD[name]
    letter = ended.letter(name)
    value = sent["value"]
    assert letter.value == (value.encode() if isinstance(value, str) else value)
    assert letter.key == sent.get("key")
    theirs = [(header, content) for header, content in sent.get("headers", []) if header != "headrace.attempt"]
    assert list(letter.headers[: len(theirs)]) == theirs
    assert (letter.header("headrace.code"), letter.header("headrace.class")) == (code, "publisher")
    assert (letter.header("headrace.stage"), letter.header("headrace.plugin")) == ("ingress", "json")
    assert (letter.header("headrace.output"), letter.header("headrace.pipeline")) == ("", pipeline.name)
    assert letter.header("headrace.attempt") == ("5" if name == "a redriven one" else "1")
    assert letter.header("__streams.errors.exception").endswith("Error")
    assert "; " in letter.header("__streams.errors.message"), "the fault and its mend"
    assert letter.header("__streams.errors.stacktrace") == ""


def test_a_dead_letter_keeps_its_message_s_time(ended: Ended, pipeline: Pipeline) -> None:
    published = {seen.position: seen.timestamp_ms for seen in pipeline.client.all(pipeline.input)}
    assert ended.dead
    for letter in ended.dead:
        assert letter.timestamp_ms == published[origin(letter)]


def test_an_expired_record_reaches_only_the_output_that_asks_for_the_status(ended: Ended) -> None:
    (late,) = [seen for seen in ended.others["status"] if place(seen.body) == ended.positions["late"]]
    assert (late.body["status"], late.body["output"], late.body["model"]) == ("expired", None, None)
    assert "deadline" in late.body["reason"]
    assert ended.positions["late"] not in [place(seen.body) for seen in ended.results]
    assert ended.letters("late") == []


def test_the_one_output_gets_what_its_when_selects(ended: Ended) -> None:
    assert [place(seen.body) for seen in ended.others["status"]] == [ended.positions["unsure"], ended.positions["late"]]


@pytest.mark.provokes("HR509")
def test_a_result_too_large_for_its_topic_is_a_dead_letter_for_that_output_only(
    ended: Ended, pipeline: Pipeline
) -> None:
    letter = ended.letter("large")
    assert (letter.header("headrace.code"), letter.header("headrace.output")) == ("HR509", f"{pipeline.name}.small")
    assert letter.value == LARGE["value"].encode()
    assert ended.others["small"] == []
    assert len(ended.result("large").body["output"]["label"]) == 3000


def test_a_when_that_fails_is_a_dead_letter_for_that_output_only(ended: Ended, pipeline: Pipeline) -> None:
    letter = ended.letter("moody")
    assert (letter.header("headrace.code"), letter.header("headrace.output")) == ("HR508", f"{pipeline.name}.moody")
    assert (letter.header("headrace.stage"), letter.header("headrace.plugin")) == ("egress", "topic")
    assert ended.result("moody").body["output"]["label"] == "q"


def test_the_figures_add_up(ended: Ended, pipeline: Pipeline) -> None:
    (worker,) = pipeline.workers
    assert worker.figure("headrace_records_total", status="ok") == len(ended.results)
    assert worker.figure("headrace_records_total", status="expired") == 1
    assert worker.figure("headrace_records_total", status="dead") == len(BAD)
    assert worker.figure("headrace_in_flight_records") == 0
    assert worker.warnings == []
