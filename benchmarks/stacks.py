"""Where the time of a pipeline goes: samples of py-spy, each given to the subject that it served."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

__all__ = ["SUBJECTS", "shares"]

# Subject -> what its frames look like. The innermost frame that says anything decides, so that a codec that the
# record loop called is decoding, and the loop is what it does itself.
_RULES = {
    "decode": r"^decode \(core/wire/json|plugins/codecs/|core/wire/(incoming|event)|^Decode\.",
    "encode": r"core/wire/|plugins/sinks/|streams/egress|core/result",
    "model": r"plugins/models/|onnxruntime/|tokenizers/|transformers/|vaderSentiment|streams/inference",
    "steps": r"plugins/|core/|streams/(pipe|leg|slot|ingress|lone|slip)\.py",
    "commit": r"streams/(commit|transactions|coordinator)\.py|^ExactlyOnce\.(_commit|commit|_whole)|Txn|EndTxn"
    r"|AddPartitions|transaction_manager|group_coordinator|^AIOKafkaConsumer\.commit",
    "send": r"aiokafka/producer/|streams/(sender|outbox|postbag|at_least_once|exactly_once)\.py",
    "fetch": r"aiokafka/consumer/|streams/passage\.py|^(RecordLoop\.)?(_poll|_next|_take) ",
    "record loop, metrics": r"streams/|prometheus_client/",
}
# What no frame claims for a subject serves them all.
_SHARED = {"connection": r"aiokafka/", "event loop": r"asyncio/|selectors\.py|concurrent/futures|faust/|mode/"}
OTHER = "other"
SUBJECTS = ("fetch", "decode", "steps", "model", "encode", "send", "commit", "record loop, metrics", *_SHARED, OTHER)
# A thread that was just woken and waits for the core looks as if it ran, on a busy machine half of all samples.
_WAITING = re.compile(r"select \(selectors\.py|^_worker \(concurrent/futures|^(Condition\.)?wait \(threading\.py")
_MAIN = re.compile(r"_run_module_as_main|__main__")
_ENTRY = re.compile(r"__main__|streams/(cli|worker|supervisor|faust_app|app)\b")


def shares(stacks: Iterable[str], main: float | None = None) -> dict[str, float]:
    """Return the share of the samples that each subject has, those left out in which a thread only waits.

    Args:
        stacks: lines of `py-spy record --format raw`: frames from the outermost on, joined by `;`, and a count.
        main: the share of CPU time that the main thread had; samples of the two kinds of threads are weighed by it, as
            a sampler that stops the process hits one of them more often than the other. None takes them as they are.
    """
    found = {True: Counter[str](), False: Counter[str]()}
    for line in stacks:
        stack, _, count = line.rpartition(" ")
        frames = stack.split(";")
        if stack and not _WAITING.search(frames[-1]):
            found[_MAIN.search(stack) is not None][_subject(frames)] += int(count)
    totals = {is_main: samples.total() or 1 for is_main, samples in found.items()}
    if main is None or not all(found.values()):
        main = found[True].total() / ((found[True] + found[False]).total() or 1)
    weights = {True: main / totals[True], False: (1 - main) / totals[False]}
    return {
        subject: sum(weights[is_main] * samples[subject] for is_main, samples in found.items()) for subject in SUBJECTS
    }


def _subject(frames: list[str]) -> str:
    for rules in (_RULES, _SHARED):
        for frame in reversed(frames):
            if _ENTRY.search(frame):
                continue  # the process's own beginning lies under all of them
            for subject, pattern in rules.items():
                if re.search(pattern, frame):
                    return subject
    return OTHER
