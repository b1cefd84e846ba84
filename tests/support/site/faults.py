"""Steps of a stranger's distribution that misbehave as the text of a record tells them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from headrace import (
    Batch,
    Candidate,
    Catalog,
    Decision,
    Options,
    Outgoing,
    Output,
    Record,
    RecordError,
    Result,
    SinkOptions,
    StepContext,
    hookimpl,
)
from headrace.plugins.models.onnx import OnnxModel, OnnxOptions


class UnprintableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words for it")


class PanicError(BaseException):
    """As a panic of an extension written in Rust: no Exception."""


class WrongRecordError(RecordError):
    """A plugin's own refusal, with a code of its own."""

    code = "FAULT1"


class Fault:
    """Raise for the texts that ask for it; `flaky N` fails N times and then passes."""

    def __init__(self) -> None:
        self.failed: Counter[str] = Counter()

    def __call__(self, batch: Batch) -> Batch:
        for record in batch:
            self._raise(record.text)
        return batch

    def _raise(self, text: str) -> None:
        word, _, rest = text.partition(" ")
        if word == "flaky" and self.failed[text] < int(rest.split()[0]):
            self.failed[text] += 1
            raise ConnectionError(f"not yet: {self.failed[text]}")
        faults: dict[str, BaseException] = {
            "raise": ValueError("it hurts:\n  here"),
            "exit": SystemExit(3),
            "cancel": asyncio.CancelledError(),
            "interrupt": KeyboardInterrupt(),
            "panic": PanicError("index out of bounds"),
            "unprintable": UnprintableError(),
            "refuse": WrongRecordError("I do not like it", mend="write nicer"),
            "nameless": RecordError("a refusal without a code"),
        }
        if word in faults:
            raise faults[word]


class Odd:
    """Return something else than what was asked for."""

    def __call__(self, batch: Batch) -> Any:
        words = {record.text.partition(" ")[0] for record in batch}
        if "fewer" in words:
            return Batch([record for record in batch if not record.text.startswith("fewer")])
        if "none" in words:
            return None
        return [_odd(record) for record in batch]


def _odd(record: Record) -> Any:
    changed: dict[str, Callable[[], Any]] = {
        "dict": lambda: {"text": "not a record"},
        "stranger": lambda: record.replace(id="someone-else", source=record.source._replace(offset=10**9)),
        "filter": lambda: record.filtered("asked for it"),
        "object": lambda: record.with_tag("bad", object()),  # type: ignore[arg-type]
    }
    return changed.get(record.text.partition(" ")[0], lambda: record)()


class SlowOptions(Options):
    ms: float = Field(gt=0)


def slow(record: Record, options: SlowOptions) -> Record:
    """Take some time."""
    time.sleep(options.ms / 1000)
    return record


class HoldOptions(Options):
    file: str


def hold(record: Record, options: HoldOptions) -> Record:
    """Hold the text `hold` until a file appears; write one beside it first."""
    if record.text.startswith("hold"):
        Path(f"{options.file}.held").touch()
        while not Path(options.file).exists():
            time.sleep(0.01)
    return record


class DeadlyOptions(Options):
    file: str = ""
    word: str = "kill"
    raises: bool = False


def deadly(record: Record, options: DeadlyOptions) -> Record:
    """Kill the process for the text `kill`, as native code does, or `leave` it; write to a file who is at work.

    With `raises` such a record only fails, so that others can be compared.
    """
    word = record.text.partition(" ")[0]
    if options.file and word != "calm":
        with Path(options.file).open("a") as file:
            file.write(f"{record.text}\n")
    if word in (options.word, "leave"):
        if word == "leave":
            os._exit(3)
        _die(record, raises=options.raises)
    return record


def _die(record: Record, *, raises: bool) -> None:
    if raises:
        raise ValueError(record.text)
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)  # the signal comes when the kernel likes


class MoodyOptions(Options):
    every: int = Field(default=1, ge=1)
    at: int = 0


def moody(record: Record, options: MoodyOptions) -> Record:
    """Fail, as if a service were away, on records at some offsets, until they have waited aside."""
    has_waited = any(name == "headrace.retry.since" for name, _ in record.headers)
    if record.source.offset % options.every == options.at and not has_waited:
        raise ConnectionError("not now")
    return record


class DeafOptions(Options):
    file: str


class Deaf:
    """A step that does something bad to its worker: once a file is there, the control topic is read no more."""

    def __init__(self, options: DeafOptions) -> None:
        self.options = options

    def open(self, context: StepContext) -> None:
        from headrace.streams.control.reader import ControlReader

        file, poll = Path(self.options.file), ControlReader._poll

        async def deaf(reader: ControlReader) -> frozenset[str]:
            if file.exists():
                raise RuntimeError("no ears")
            return await poll(reader)

        ControlReader._poll = deaf  # type: ignore[method-assign,assignment]

    def close(self) -> None:
        pass

    def __call__(self, batch: Batch) -> Batch:
        return batch


def needs(record: Record, options: HoldOptions) -> Record:
    """Fail on the text `needs` until a file appears, as a step does whose service is away."""
    if record.text.startswith("needs") and not Path(options.file).exists():
        raise ConnectionError("the service is away")
    return record


class EchoOptions(Options):
    label: str = ""
    fails_to_load: bool = False
    ms: float = Field(default=0, ge=0)
    needs: str = ""


class Echo:
    """A model that says back what it read: `0.3 sad` is label `sad` with score 0.3; JSON is the output itself."""

    def __init__(self, options: EchoOptions) -> None:
        self.options = options

    def open(self, context: StepContext) -> None:
        if self.options.fails_to_load:
            raise OSError("the weights\nare damaged")

    def close(self) -> None:
        pass

    def infer(self, batch: Batch) -> Sequence[Output]:
        time.sleep(self.options.ms / 1000 * len(batch))
        if self.options.needs and not Path(self.options.needs).exists():
            raise ConnectionError("the service is away")
        return [self._say(record.text) for record in batch]

    def _say(self, text: str) -> Any:
        word, _, rest = text.partition(" ")
        if word == "json":
            return json.loads(rest)
        if word == "thing":
            return {"label": object()}
        if word == "big":
            return {"label": "x" * int(rest), "score": 1.0}
        try:
            return {"label": self.options.label or rest, "score": float(word), "text": text}
        except ValueError:
            return {"label": self.options.label or word, "score": 1.0, "text": text}


class PatientOptions(OnnxOptions):
    ms: float = Field(default=0, ge=0)
    raises: bool = False


class Patient(OnnxModel):
    """A real graph that takes its time over each record, cannot bear some, and does not survive others."""

    def __init__(self, options: PatientOptions) -> None:
        super().__init__(options)
        self.ms, self.raises = options.ms, options.raises

    def infer(self, batch: Batch) -> Sequence[Output]:
        if any(record.text.startswith("unbearable") for record in batch):
            raise ValueError("this one is too much")
        for record in batch:
            if record.text.startswith("unsurvivable"):
                _die(record, raises=self.raises)
        time.sleep(self.ms / 1000 * len(batch))
        return super().infer(batch)


class HeldOptions(OnnxOptions):
    file: str
    version: str


class Held(OnnxModel):
    """A model of the registry; one version takes until a file appears to load, and writes one beside it first."""

    def __init__(self, options: HeldOptions) -> None:
        super().__init__(options)
        self.held = options

    def open(self, context: StepContext) -> None:
        super().open(context)
        if context.version == self.held.version:
            Path(f"{self.held.file}.held").touch()
            while not Path(self.held.file).exists():
                time.sleep(0.01)


class Lost:
    """A router that chooses badly when asked to."""

    def route(self, batch: Batch) -> Sequence[Any]:
        return [self._choose(record.text) for record in batch]

    def _choose(self, text: str) -> Any:
        chosen = {
            "nobody": Decision(combine="single", steps=()),
            "nowhere": Decision(combine="single", steps=(Candidate(model="nowhere"),)),
            "parallel": Decision(combine="parallel", steps=(Candidate(model="echo"), Candidate(model="echo"))),
            "badrule": Decision(combine="cascade", steps=(Candidate(model="echo", accept_if="output."),) * 2),
            "undecided": "echo",
        }
        good = Decision(combine="single", steps=(Candidate(model="echo"),), reason="the only one")
        return chosen.get(text.partition(" ")[0], good)


class ForksOptions(Options):
    models: tuple[str, ...]
    otherwise: str
    deadline_ms: float | None = None


class Forks:
    """A router that asks several models at once for the texts that begin with `fork`, and else one."""

    def __init__(self, options: ForksOptions) -> None:
        steps = tuple(Candidate(model=name) for name in options.models)
        self.fork = Decision(combine="parallel", steps=steps, join="vote", deadline_ms=options.deadline_ms)
        self.single = Decision(combine="single", steps=(Candidate(model=options.otherwise),), reason="no fork")

    def route(self, batch: Batch) -> Sequence[Decision]:
        return [self.fork if record.text.startswith("fork") else self.single for record in batch]

    def orders(self, context: StepContext) -> Sequence[Sequence[str]]:
        return [(each.model,) for each in (*self.fork.steps, *self.single.steps)]

    def joins(self, context: StepContext) -> Sequence[Decision]:
        return (self.fork,)


class CrateOptions(SinkOptions):
    name: str
    needs: str = ""


class Crate:
    """A sink that writes what a text tells it."""

    def __init__(self, options: CrateOptions) -> None:
        self.name, self.needs = options.name, options.needs

    def topics(self) -> Sequence[str]:
        return (self.name,)

    def outgoing(self, results: Sequence[Result]) -> Sequence[Any]:
        if self.needs and not Path(self.needs).exists():
            raise ConnectionError("the service is away")
        return [self._message(record) for record, _ in results]

    def _message(self, record: Record) -> Any:
        value: Any = record.text.encode()
        odd = {
            "nothing": Outgoing(self.name, None, None),
            "text": Outgoing(self.name, None, record.text),  # type: ignore[arg-type]
            "elsewhere": Outgoing("no-such-topic", None, value),
            "far": Outgoing(self.name, None, value, partition=99),
            "headless": Outgoing(self.name, None, value, headers=(("h", "no bytes"),)),  # type: ignore[arg-type]
            "early": Outgoing(self.name, None, value, timestamp_ms=-5),
        }
        return odd.get(record.text.partition(" ")[0], Outgoing(self.name, record.key, value))


def exit_now(record: Record) -> Record:
    """Leave the process by the polite way."""
    sys.exit("a plugin wants to go")


@hookimpl
def headrace_register(catalog: Catalog) -> None:
    catalog.preprocess("fault", Fault)
    catalog.preprocess("odd", Odd)
    catalog.preprocess("slow", slow, options=SlowOptions)
    catalog.postprocess("slow", slow, options=SlowOptions)
    catalog.preprocess("hold", hold, options=HoldOptions)
    catalog.preprocess("deadly", deadly, options=DeadlyOptions)
    catalog.postprocess("deadly", deadly, options=DeadlyOptions)
    catalog.preprocess("moody", moody, options=MoodyOptions)
    catalog.postprocess("moody", moody, options=MoodyOptions)
    catalog.preprocess("deaf", Deaf, options=DeafOptions)
    catalog.preprocess("needs", needs, options=HoldOptions)
    catalog.model("echo", Echo, options=EchoOptions)
    catalog.model("patient", Patient, options=PatientOptions)
    catalog.model("held", Held, options=HeldOptions)
    catalog.router("lost", Lost)
    catalog.router("forks", Forks, options=ForksOptions)
    catalog.sink("crate", Crate, options=CrateOptions)
