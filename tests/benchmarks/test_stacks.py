"""Samples of a profiler are given to the subject that they served."""

from __future__ import annotations

import pytest

from benchmarks.profile import titled
from benchmarks.stacks import SUBJECTS, shares

BEGIN = (
    "<module> (core/api/__main__.py:5);run (streams/cli/run.py:84);BaseEventLoop._run_once (asyncio/base_events.py:9)"
)
LOOP = f"{BEGIN};RecordLoop._fly (streams/loop.py:420)"
THREAD = "_worker (concurrent/futures/thread.py:80);Pipe._from_input (streams/pipe.py:240)"
SAMPLES = {
    f"{BEGIN};Handle._run (asyncio/events.py:80)": "event loop",
    f"{BEGIN};AIOKafkaConnection._read (aiokafka/conn.py:5);Struct.decode (aiokafka/protocol/st.py:3)": "connection",
    f"{BEGIN};Fetcher._proc (aiokafka/consumer/fetcher.py:5);AIOKafkaClient.send (aiokafka/client.py:4)": "fetch",
    f"{LOOP};RecordLoop._poll (streams/loop.py:300);wait (asyncio/tasks.py:1)": "fetch",
    f"{LOOP};Meter.ended (streams/meter.py:97);Counter.inc (prometheus_client/metrics.py:3)": "record loop, metrics",
    f"{LOOP};AtLeastOnce.deliver (streams/at_least_once.py:5);Outbox.put (streams/outbox.py:60)": "send",
    f"{BEGIN};Sender._do_txn_commit (aiokafka/producer/sender.py:9);EndTxn.do (aiokafka/producer/s.py:3)": "commit",
    f"{LOOP};Commits.commit (streams/commit.py:50);AIOKafkaConsumer.commit (aiokafka/consumer/consumer.py:7)": "commit",
    f"{THREAD};Decode.run (streams/ingress.py:4);Json.decode (plugins/codecs/json.py:9);decode (core/wire/json.py:2)": (
        "decode"
    ),
    f"{THREAD};Normalise.apply (plugins/preprocess/normalise.py:9)": "steps",
    f"{THREAD};Whole.run (plugins/models/onnx_whole.py:3);run (onnxruntime/x.py:2)": ("model"),
    f"{THREAD};Topic.outgoing (plugins/sinks/topic.py:3);encode (core/wire/json.py:9)": ("encode"),
    "Thread.run (threading.py:9)": "other",
}


@pytest.mark.parametrize("stack", SAMPLES)
def test_a_stack_belongs_to_its_innermost_subject(stack: str) -> None:
    assert [subject for subject, share in shares([f"{stack} 3"]).items() if share] == [SAMPLES[stack]]


def test_shares_are_of_all_samples_in_the_order_of_a_records_way() -> None:
    turn, put = f"{BEGIN};Handle._run (asyncio/events.py:80) 1", f"{LOOP};Outbox.put (streams/outbox.py:60) 3"
    found = shares([turn, put, ""])
    assert tuple(found) == SUBJECTS
    assert (found["send"], found["event loop"], sum(found.values())) == (0.75, 0.25, 1.0)


def test_no_samples_are_no_error() -> None:
    assert set(shares([]).values()) == {0.0}


@pytest.mark.parametrize(
    "leaf", ["EpollSelector.select (selectors.py:468)", "wait (threading.py:3)", "Condition.wait (threading.py:3)"]
)
def test_a_thread_that_waits_spends_nothing(leaf: str) -> None:
    assert shares([f"{BEGIN};{leaf} 9", f"{LOOP};Outbox.put (streams/outbox.py:60) 3"])["send"] == 1.0
    assert shares(["_worker (concurrent/futures/thread.py:81) 9", f"{THREAD} 1"])["steps"] == 1.0


def test_a_flame_graph_names_no_folder_of_the_machine() -> None:
    drawn = '<text id="title" fill="rgb(0,0,0)">/home/ida/.venv/bin/py-spy record</text><text id="details"> </text>'
    assert titled(drawn, "plain") == '<text id="title" fill="rgb(0,0,0)">plain</text><text id="details"> </text>'


def test_threads_are_weighed_by_the_time_that_they_had() -> None:
    stacks = [f"{LOOP};Sender.hand_over (streams/sender.py:9) 30", f"{THREAD};Decode.run (streams/ingress.py:3) 10"]
    assert shares(stacks)["send"] == pytest.approx(0.75)
    weighed = shares(stacks, main=0.5)
    assert [weighed["send"], weighed["decode"]] == pytest.approx([0.5, 0.5])
    assert shares(stacks[:1], main=0.5)["send"] == pytest.approx(1)  # of one kind alone
