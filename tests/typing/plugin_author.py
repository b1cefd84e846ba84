"""A stranger's plugin with a step of every kind: `mypy --strict` must accept it, and nothing else is asked of it.

`make check` runs it. It must use the public interface only, and no `Any` or `cast` to get along.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from headrace import (
    Batch,
    Candidate,
    Catalog,
    Codec,
    Content,
    Decision,
    Message,
    Model,
    ModelFacts,
    Opens,
    Options,
    Outgoing,
    Output,
    Postprocess,
    Preprocess,
    Record,
    RecordError,
    Result,
    Router,
    Sink,
    SinkOptions,
    StepContext,
    Warms,
    hookimpl,
)


class TooShortError(RecordError):
    """The text is shorter than this pipeline judges."""

    code = "XX001"


class ShortestOptions(Options):
    """What a pipeline file may say of `shortest`."""

    characters: int = Field(default=3, ge=1, description="least characters of a text")


def read_upper(message: Message) -> Content:
    """A codec as a function."""
    return Content(value=(message.value or b"").decode().upper())


def shortest(record: Record, options: ShortestOptions) -> Record:
    """A preprocess step as a function with options."""
    if not record.text:
        return record.filtered("empty")
    if len(record.text) < options.characters:
        raise TooShortError(f"{len(record.text)} characters", mend="publish more")
    return record.with_text(record.text.strip()).with_tag("shortest", str(options.characters))


class Longest:
    """A preprocess step that sees the batch."""

    def __call__(self, batch: Batch) -> Batch:
        """Return each record with the longest text of the batch noted."""
        longest = max(len(text) for text in batch.texts)
        return batch.map(lambda record: record.replace(tags={"longest": str(longest)}))


class Coin:
    """A model with facts and weights."""

    def __init__(self, options: ShortestOptions) -> None:
        self._characters = options.characters

    def open(self, context: StepContext) -> None:
        """Load."""
        self._threads = context.threads

    def close(self) -> None:
        """Unload."""

    def warm_up(self) -> None:
        """Get warm."""

    def facts(self, context: StepContext) -> ModelFacts:
        """Say what is known."""
        return ModelFacts(version=f"{context.name}@1", labels=("heads", "tails"))

    def infer(self, batch: Batch) -> Sequence[Output]:
        """Return an output a record."""
        return [{"label": "heads", "score": 0.5} for _ in batch]


class ByLength:
    """A router that looks at each record."""

    def route(self, batch: Batch) -> Sequence[Decision]:
        """Return a decision a record."""
        return [self._decide(record) for record in batch]

    def models(self, context: StepContext) -> Sequence[str]:
        """Return all."""
        return context.models

    def _decide(self, record: Record) -> Decision:
        first, *rest = (Candidate(model=name, accept_if=0.9) for name in ("quick", "expert"))
        return Decision(combine="cascade", steps=(first, *rest), reason=f"{len(record.text)} characters")


def louder(record: Record) -> Record:
    """A postprocess step as a function."""
    output = record.output or {}
    return record.with_output({**output, "label": str(output.get("label", "")).upper()})


class CopyOptions(SinkOptions):
    """What a pipeline file may say of `copy`."""

    name: str = Field(description="the topic")


class Copy:
    """A sink."""

    def __init__(self, options: CopyOptions) -> None:
        self._name = options.name

    def topics(self) -> Sequence[str]:
        """Return the topic."""
        return [self._name]

    def outgoing(self, results: Sequence[Result]) -> Sequence[Outgoing]:
        """Return a message a result."""
        return [Outgoing(self._name, record.key, str(body["id"]).encode()) for record, body in results]


class ReadUpper:
    """A codec as a class."""

    def decode(self, message: Message) -> Content:
        """Read."""
        return read_upper(message)


# What a class must have to be a step is said by protocols, so that a type checker finds what is missing.
CODEC: Codec = ReadUpper()
PREPROCESS: Preprocess = Longest()
POSTPROCESS: Postprocess = Longest()
MODEL: Model = Coin(ShortestOptions())
OPENS: Opens = Coin(ShortestOptions())
WARMS: Warms = Coin(ShortestOptions())
ROUTER: Router = ByLength()
SINK: Sink = Copy(CopyOptions(name="copy"))


@hookimpl
def headrace_register(catalog: Catalog) -> None:
    """Register all of them."""
    catalog.codec("upper", read_upper)
    catalog.preprocess("shortest", shortest, options=ShortestOptions)
    catalog.preprocess("longest", Longest)
    catalog.model("coin", Coin, options=ShortestOptions)
    catalog.router("by-length", ByLength)
    catalog.postprocess("louder", louder)
    catalog.sink("copy", Copy, options=CopyOptions)
