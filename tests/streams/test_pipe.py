"""All steps in one process: what each record becomes, and that no record's fault is another's."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from headrace.core.errors import StepOpenError
from headrace.core.record import Batch, Message, Output, Position
from headrace.core.wire.result import ResultBody
from headrace.streams.bisect import Retries
from headrace.streams.link import Outbound
from headrace.streams.live import Live
from headrace.streams.meter import Meter
from headrace.streams.opening import open_pipe
from headrace.streams.pipe import Pipe
from headrace.streams.slot import Slot
from tests.support.made import message
from tests.support.planned import installed_and, planned
from tests.support.site import faults

Opened = Callable[..., Pipe]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    """Open the pipe of a file that says what the sections say, without any pause between retries."""
    catalog = installed_and(faults.headrace_register)
    with ExitStack() as closing:

        def open_file(retries: int = 0, **sections: Any) -> Pipe:
            plan = planned(tmp_path, catalog, **sections)
            patience = Retries(limit=retries, sleep=lambda _: None)
            pipe = open_pipe(
                plan, plan.groups["main"], threads=1, retries=patience, meter=Meter("reviews"), live=Live(plan)
            )
            pipe.take = pipe.entry("ingress", Outbound(plan, "ingress"))  # type: ignore[attr-defined]
            closing.callback(pipe.close)
            return pipe

        yield open_file


def through(pipe: Pipe, *texts: str, **fields: Any) -> list[Slot]:
    values = [json.dumps({"text": text}).encode() for text in texts]
    messages = [message(value, position=Position("reviews", 0, at), **fields) for at, value in enumerate(values)]
    return taken(pipe, messages)


def taken(pipe: Pipe, messages: Sequence[Message]) -> list[Slot]:
    outcome = pipe.take(messages)  # type: ignore[attr-defined]
    assert not outcome.shipments, "one process has no links"
    slots: list[Slot] = outcome.slots
    return slots


def bodies(slots: Sequence[Slot], output: str = "reviews.out") -> list[dict[str, Any]]:
    return [json.loads(sent.value or b"") for slot in slots for name, sent in slot.outgoing if name == output]


def labels(slots: Sequence[Slot], output: str = "reviews.out") -> list[str]:
    return [body["output"]["label"] for body in bodies(slots, output)]


def only_failure(slots: Sequence[Slot]) -> Any:
    failures = [failure for slot in slots for failure in slot.failures]
    assert len(failures) == 1, failures
    return failures[0]


def test_each_record_becomes_a_result_in_its_order(opened: Opened) -> None:
    slots = through(opened(), "a", "b", "c")
    assert labels(slots) == ["a", "b", "c"]
    for number, body in enumerate(bodies(slots)):
        ResultBody.model_validate(body)
        assert body["id"] == f"reviews:0:{number}"
        assert body["version"] == body["model"] == "echo"


BAD = {
    "raise": ("HR501", "author", "ingress", "fault"),
    "exit": ("HR501", "author", "ingress", "fault"),
    "cancel": ("HR501", "author", "ingress", "fault"),
    "interrupt": ("HR501", "author", "ingress", "fault"),
    "panic": ("HR501", "author", "ingress", "fault"),
    "unprintable": ("HR501", "author", "ingress", "fault"),
    "refuse": ("FAULT1", "publisher", "ingress", "fault"),
    "nameless": ("HR501", "publisher", "ingress", "fault"),
    "fewer": ("HR603", "author", "ingress", "odd"),
    "none": ("HR603", "author", "ingress", "odd"),
    "dict": ("HR603", "author", "ingress", "odd"),
    "stranger": ("HR603", "author", "ingress", "odd"),
    "nobody": ("HR603", "author", "ingress", "lost"),
    "nowhere": ("HR603", "author", "ingress", "lost"),
    "parallel": ("HR603", "author", "ingress", "lost"),
    "undecided": ("HR603", "author", "ingress", "lost"),
    "json null": ("HR605", "author", "echo", "echo"),
    "json [1]": ("HR605", "author", "echo", "echo"),
    "thing": ("HR605", "author", "echo", "echo"),
}


@pytest.mark.provokes("HR605")
@pytest.mark.parametrize("text", BAD)
def test_a_fault_is_one_record_s_and_says_whose_it_is_and_where(opened: Opened, text: str) -> None:
    pipe = opened(preprocess=["fault", "odd"], route="lost")
    slots = through(pipe, "a", "b", text, "c", "d")
    assert labels(slots) == ["a", "b", "c", "d"]
    failure = only_failure(slots)
    assert slots[2].failures == [failure]
    assert (failure.code, failure.kind, failure.stage, failure.plugin) == BAD[text]


def test_all_of_them_in_one_batch_leave_the_good_ones_in_order(opened: Opened) -> None:
    texts = [word for number, bad in enumerate(BAD) for word in (bad, f"good{number}")]
    slots = through(opened(preprocess=["fault", "odd"], route="lost"), *texts)
    assert labels(slots) == [f"good{number}" for number in range(len(BAD))]
    assert [bool(slot.failures) for slot in slots] == [True, False] * len(BAD)


@pytest.mark.parametrize("text", ["raise", "fewer", "dict", "undecided", "json null"])
def test_whatever_a_step_did_wrong_it_is_tried_again(opened: Opened, text: str) -> None:
    pipe = opened(retries=3, preprocess=["fault", "odd"], route="lost")
    assert only_failure(through(pipe, "a", text, "b")).attempt == 4
    assert only_failure(through(pipe, text)).attempt == 4


@pytest.mark.parametrize("text", ["refuse", "nameless"])
def test_a_record_that_is_wrong_is_not_tried_again(opened: Opened, text: str) -> None:
    assert only_failure(through(opened(retries=3, preprocess=["fault"]), text)).attempt == 1


def test_a_step_that_fails_twice_and_then_works_gives_attempt_three(opened: Opened) -> None:
    pipe = opened(retries=3, preprocess=["fault"])
    assert [body["attempt"] for body in bodies(through(pipe, "flaky 2"))] == [3]
    assert [body["attempt"] for body in bodies(through(pipe, "a", "b"))] == [1, 1]


def test_a_decoder_s_fault_is_one_record_s(opened: Opened) -> None:
    slots = taken(opened(), [message(b'{"text": "a"}'), message(b"{"), message(None), message(b'{"text": "b"}')])
    assert labels(slots) == ["a", "b"]
    assert [slot.failure.code if slot.failure else None for slot in slots] == [None, "HR511", "HR502", None]


WITH_STATUS = [
    {"topic": {"name": "reviews.out"}},
    {"topic": {"name": "reviews.all", "when": "status in ['ok', 'filtered', 'expired']"}},
]


def test_filtered_and_expired_records_reach_only_outputs_that_speak_of_the_status(opened: Opened) -> None:
    pipe = opened(preprocess=["odd"], output=WITH_STATUS)
    slots = through(pipe, "a", "filter me", "b")
    slots += through(pipe, "late", headers=(("ce_expirytime", b"2020-01-01T00:00:00Z"),))
    assert labels(slots) == ["a", "b"]
    everything = bodies(slots, "reviews.all")
    assert [(body["status"], body["model"]) for body in everything] == [
        ("ok", "echo"),
        ("filtered", None),
        ("ok", "echo"),
        ("expired", None),
    ]
    assert everything[1]["reason"] == "asked for it"
    assert "its deadline passed" in everything[3]["reason"]
    assert all(not slot.failures for slot in slots)


@pytest.mark.provokes("HR508")
def test_a_when_that_fails_is_a_dead_letter_for_its_output_only(opened: Opened) -> None:
    both = [{"topic": {"name": "reviews.out"}}, {"topic": {"name": "reviews.sad", "when": "output.mood == 'sad'"}}]
    slots = through(
        opened(output=both), 'json {"label": "x", "mood": "sad"}', "no mood", 'json {"label": "y", "mood": "glad"}'
    )
    assert labels(slots) == ["x", "no", "y"]
    assert labels(slots, "reviews.sad") == ["x"]
    failure = only_failure(slots)
    assert (failure.code, failure.output, slots[1].failure) == ("HR508", "reviews.sad", None)


def test_a_sink_s_fault_is_one_record_s_and_the_other_output_gets_all(opened: Opened) -> None:
    both = [{"crate": {"name": "reviews.crate"}}, {"topic": {"name": "reviews.out"}}]
    slots = through(opened(retries=1, output=both), "a", "text", "elsewhere", "headless", "b")
    assert [sent.value for slot in slots for name, sent in slot.outgoing if name == "reviews.crate"] == [b"a", b"b"]
    assert labels(slots) == ["a", "text", "elsewhere", "headless", "b"]
    assert [[(one.code, one.plugin, one.attempt) for one in slot.failures] for slot in slots[1:4]] == [
        [("HR603", "crate", 2)]
    ] * 3


def test_a_cascade_asks_the_second_model_only_when_the_first_is_not_sure(opened: Opened) -> None:
    models = {"quick": {"echo": {"label": "q"}}, "expert": {"echo": {"label": "e"}}}
    pipe = opened(models=models, route={"cascade": {"order": ["quick", "expert"], "accept": 0.9}})
    sure, unsure = bodies(through(pipe, "0.95 yes", "0.4 well"))
    assert (sure["model"], sure["route"]["path"]) == ("quick", ["quick"])
    assert sure["route"]["reason"] == "quick scored 0.95, at least 0.9"
    assert (unsure["model"], unsure["assigned_model"], unsure["route"]["path"]) == (
        "expert",
        "quick",
        ["quick", "expert"],
    )
    assert unsure["route"]["reason"] == "quick scored 0.4, less than 0.9"
    assert unsure["timings"]["inference"] > sure["timings"]["inference"] > 0


@pytest.mark.parametrize("score", ["null", '"high"'])
def test_a_cascade_over_a_score_that_is_none_or_nonsense_ends_every_record(opened: Opened, score: str) -> None:
    models = {"quick": "echo", "expert": {"echo": {"label": "e"}}}
    pipe = opened(models=models, route={"cascade": {"order": ["quick", "expert"], "accept": 0.9}})
    slots = through(pipe, "0.95 a", f'json {{"score": {score}}}', "0.1 b")
    assert len([slot for slot in slots if slot.failures or slot.outgoing]) == 3


CHAIN = {"models": {"summary": "echo", "mood": {"echo": {"label": "m"}}}}


def test_a_chain_hands_each_output_on_and_a_result_holds_all_of_them(opened: Opened) -> None:
    pipe = opened(route={"chain": {"order": ["summary", "mood"], "text": "output.label"}}, **CHAIN)
    (body,) = bodies(through(pipe, "0.5 short"))
    ResultBody.model_validate(body)
    assert body["output"] == {"label": "m", "score": 1.0, "text": "short"}
    assert (body["model"], body["assigned_model"], body["route"]["path"]) == ("mood", "summary", ["summary", "mood"])
    assert body["route"]["outputs"] == {"summary": {"label": "short", "score": 0.5, "text": "0.5 short"}}
    assert body["route"]["reason"] == "every record goes through summary, then mood"


def test_without_a_path_each_model_of_a_chain_reads_the_record(opened: Opened) -> None:
    (body,) = bodies(through(opened(route={"chain": {"order": ["summary", "mood"]}}, **CHAIN), "0.5 short"))
    assert body["output"]["text"] == body["route"]["outputs"]["summary"]["text"] == "0.5 short"


def test_a_record_whose_first_model_says_no_text_is_a_dead_letter_among_good_ones(opened: Opened) -> None:
    pipe = opened(retries=3, route={"chain": {"order": ["summary", "mood"], "text": "output.label"}}, **CHAIN)
    slots = through(pipe, "a", 'json {"label": 7}', "b")
    assert labels(slots) == ["m", "m"]
    failure = only_failure(slots)
    assert (failure.code, failure.stage, failure.plugin, failure.attempt) == ("HR518", "summary", "echo", 1)


def test_rules_send_each_record_to_its_model_and_say_which_rule_it_was(opened: Opened) -> None:
    rules = [
        {"when": "headers.tier == 'gold'", "model": "mood"},
        {"when": "size(text) > 8", "chain": ["summary", "mood"]},
    ]
    pipe = opened(route={"rules": {"rules": rules, "otherwise": "summary"}}, **CHAIN)
    slots = through(pipe, "short", "a longer text") + through(pipe, "short", headers=(("tier", b"gold"),))
    assert [(body["route"]["path"], body["route"]["reason"]) for body in bodies(slots)] == [
        (["summary"], "no rule holds"),
        (["summary", "mood"], "size(text) > 8 holds"),
        (["mood"], "headers.tier == 'gold' holds"),
    ]
    assert {body["route"]["policy"] for body in bodies(slots)} == {"rules"}


def test_without_models_records_go_from_preprocess_to_output(opened: Opened) -> None:
    (body,) = bodies(through(opened(models={}), "a"))
    ResultBody.model_validate(body)
    assert [body[name] for name in ("model", "route", "output", "status")] == [None, None, None, "ok"]


EXPERIMENT: dict[str, Any] = {
    "input": {"topic": "reviews", "text": "text", "unit": "user"},
    "preprocess": ["fault", "odd"],
    "experiments": {"better": {"variants": {"control": {}, "treatment": {"weight": 0}}}},
}


def by_units(pipe: Pipe, *texts: str) -> list[Slot]:
    """Take texts of ann, bob, cas and so on through the pipe."""
    units = ("ann", "bob", "cas", "dan")
    values = [json.dumps({"text": text, "user": unit}).encode() for text, unit in zip(texts, units, strict=False)]
    return taken(pipe, [message(value) for value in values])


def test_an_exposure_is_told_of_each_record_whatever_becomes_of_it(opened: Opened) -> None:
    pipe = opened(**EXPERIMENT)
    slots = by_units(pipe, "fine", "raise", "filter me", "json null")
    assert [bool(slot.failures) for slot in slots] == [False, True, False, True]
    told = bodies(slots, "exposures")
    assert [body["unit"] for body in told] == ["ann", "bob", "cas", "dan"]
    assert {body["plan"] for body in told} == {body["plan"] for body in bodies(slots)}


def test_a_batch_sees_one_state_from_its_split_to_its_route(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = opened(**EXPERIMENT)
    changed = {"phases": {"better": 2}, "plan": "newer"}

    def change(self: faults.Odd, batch: Any) -> Any:
        pipe._live.change(**changed)
        return batch

    monkeypatch.setattr(faults.Odd, "__call__", change)
    slots = by_units(pipe, "one") + by_units(pipe, "two")
    first, second = bodies(slots)
    assert (first["experiments"][0]["phase"], second["experiments"][0]["phase"]) == (1, 2)
    assert first["plan"] != second["plan"] == "newer"


@pytest.mark.provokes("HR604")
def test_a_step_that_cannot_load_is_named_in_one_line_and_what_was_opened_is_closed(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = []
    monkeypatch.setattr(faults.Echo, "close", lambda self: closed.append(self.options.label))
    models = {"good": {"echo": {"label": "good"}}, "bad": {"echo": {"label": "bad", "fails_to_load": True}}}
    with pytest.raises(StepOpenError) as caught:
        opened(models=models, route={"single": {"model": "good"}})
    assert "model 'bad' could not load: OSError: the weights are damaged; correct its options" in str(caught.value)
    assert str(caught.value.place).endswith("p.yaml:4:55")
    assert closed == ["bad", "good"], "the last one first, the one that failed included"


def test_a_step_that_fails_to_close_keeps_no_other_from_closing(
    opened: Opened, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    closed = []

    def close(self: faults.Echo) -> None:
        closed.append(self.options.label)
        raise OSError("stuck")

    monkeypatch.setattr(faults.Echo, "close", close)
    models = {name: {"echo": {"label": name}} for name in ("one", "two")}
    opened(models=models, route={"single": {"model": "one"}}).close()
    assert closed == ["two", "one"]
    assert "model 'two' could not be closed: OSError('stuck')" in caplog.text


def test_what_is_closed_twice_is_closed_once(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[str] = []
    monkeypatch.setattr(faults.Echo, "close", lambda self: closed.append("echo"))
    pipe = opened()
    pipe.close()
    pipe.close()
    assert closed == ["echo"]


class Warming:
    """A model that notes when it gets warm."""

    def __init__(self, seen: list[str]) -> None:
        self._seen = seen

    def warm_up(self) -> None:
        self._seen.append("warm")

    def infer(self, batch: Batch) -> Sequence[Output]:
        return [{} for _ in batch]


def test_models_are_warm_before_the_thread_that_runs_batches_has_its_first_one(opened: Opened) -> None:
    seen: list[str] = []
    pipe = opened()
    pipe.models["echo"].load("echo@2", Warming(seen))
    with ThreadPoolExecutor(1) as executor:
        pipe.use(executor)
        executor.submit(seen.append, "batch").result(30)
    assert seen == ["warm", "batch"]
