"""What a step is, one protocol a kind, and how a plugin's class or function becomes one."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, get_args, runtime_checkable

from headrace.core.errors import HeadraceError, StepOpenError
from headrace.core.experiments.experiment import Assigned, Experiment
from headrace.core.options import Options
from headrace.core.record import Batch, Content, Message, Outgoing, Output, Record
from headrace.core.routing.decision import Decision
from headrace.core.tensor import TensorSpec

if TYPE_CHECKING:
    import numpy as np

__all__ = [
    "KINDS",
    "Codec",
    "Kind",
    "Model",
    "ModelFacts",
    "Opens",
    "Part",
    "Plain",
    "Postprocess",
    "Preprocess",
    "Result",
    "Router",
    "ShardFacts",
    "Sink",
    "Splitter",
    "StepContext",
    "StepSpec",
    "Warms",
    "bind",
    "given_tensors",
    "model_facts",
    "routed_joins",
    "routed_models",
    "routed_orders",
]

Kind = Literal["codec", "splitter", "preprocess", "router", "model", "postprocess", "sink"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class StepContext:
    """What a step may know of its surroundings.

    Attributes:
        pipeline: the pipeline's name.
        name: the step's name in the file; for a model the name that routers use.
        registry: where models live, a folder or an fsspec URL.
        threads: processor threads this step may keep busy; at least 1.
        batch_tokens: most tokens in one run of a model, padding included (`batch.max_tokens`).
        version: for a model, the version that the plan resolved; an alias may have moved since.
        models: the names of the pipeline's models, in the order of the file.
        experiments: those of the pipeline, for a splitter.
        shard: which part of a sharded model to open, counted from 0; None means the whole.
        aliases: aliases that were moved since the registry's own: `reviews@prod` -> version.
        batch_latency_ms: most that a run for several records may take (`batch.latency`); None for any time.
    """

    pipeline: str
    name: str
    registry: str
    threads: int = 1
    batch_tokens: int = 8192
    version: str | None = None
    models: tuple[str, ...] = ()
    experiments: tuple[Experiment, ...] = ()
    shard: int | None = None
    aliases: Mapping[str, int] = field(default_factory=dict)
    batch_latency_ms: float | None = None


@dataclass(frozen=True)
class ShardFacts:
    """What is known of one part of a sharded model without loading it.

    Attributes:
        size_bytes: bytes of its file: about what it takes in memory.
        hash: identifies its content.
        bytes_per_record: the most that a record's boundary tensors take on the wire, for the longest text, in float32;
            0 for the last part, which gives outputs.
    """

    size_bytes: int
    hash: str
    bytes_per_record: int = 0


@dataclass(frozen=True)
class ModelFacts:
    """What is known of a model without loading it: `plan` shows it and results carry its version.

    Attributes:
        version: what results carry as `version`, for example `reviews@1`.
        labels: the labels its outputs can have; empty when it has none or they are open.
        size_bytes: bytes of its files; 0 when it has none.
        hash: identifies its content; part of the plan's hash.
        shards: its parts in order, each of which becomes a stage; empty when it is whole.
        reference: how the file names it in the registry, when it may name an alias: `reviews@prod`.
        inputs: the tensors that it takes of a record; empty when it reads the record's text.
    """

    version: str
    labels: tuple[str, ...] = ()
    size_bytes: int = 0
    hash: str = ""
    shards: tuple[ShardFacts, ...] = ()
    reference: str | None = None
    inputs: tuple[TensorSpec, ...] = ()


class Codec(Protocol):
    """Turns the bytes of a message into a value.

    One that also gives tensors has a property `tensors -> Sequence[TensorSpec]`: `check` compares them with what the
    models take; with `has_value = False` it gives nothing else. It may have `shapes(value)`, which returns the kinds of
    messages that it reads.

    It may also have `decode_all(messages) -> Sequence[Content] | None`, for what is faster at once: the contents that
    `decode` would return, in order. None, or whatever it raises, only means that the messages are decoded one by one.
    """

    def decode(self, message: Message) -> Content:
        """Return the content of a message whose value is not None.

        Raises:
            RecordError: the bytes are not what this codec reads; the message becomes a dead letter.
        """


class Preprocess(Protocol):
    """Changes records before inference."""

    def __call__(self, batch: Batch) -> Batch:
        """Return the changed records: as many, in the same order."""


class Postprocess(Protocol):
    """Changes records that have an output."""

    def __call__(self, batch: Batch) -> Batch:
        """Return the changed records: as many, in the same order."""


class Model(Protocol):
    """Infers. A record's output never depends on the batch it happens to be in."""

    def infer(self, batch: Batch) -> Sequence[Output]:
        """Return one output a record, in order; for text classification `label`, `score` and `scores`."""

    def facts(self, context: StepContext) -> ModelFacts:
        """Return what is known without loading the model.

        Raises:
            ConfigError: the model does not exist or is not whole; `check` reports it at the model's place.
        """


class Part(Protocol):
    """A part of a sharded model that is not the last one; the last one is a `Model`."""

    def part(self, batch: Batch) -> Sequence[Mapping[str, np.ndarray[Any, Any]]]:
        """Return for each record its row of every boundary tensor, in order; the next part reads `record.tensors`."""


class Splitter(Protocol):
    """Splits and tags traffic. It reads `context.experiments` in `open`."""

    def split(self, batch: Batch) -> Sequence[tuple[Assigned, ...]]:
        """Return the variants that each record meets, in order; () for a record that meets none."""


class Router(Protocol):
    """Chooses models.

    It may also have `orders(context) -> Sequence[Sequence[str]]`: each order in which it asks models, such as
    `[("quick", "expert")]`. It tells between which processes records travel; a router that does not say may ask any
    model after any other.
    """

    def route(self, batch: Batch) -> Sequence[Decision]:
        """Return one decision a record, in order."""

    def models(self, context: StepContext) -> Sequence[str]:
        """Return every model this router may choose; `check` refuses names that the file does not have."""


class Result(NamedTuple):
    """A record at its end and the body of its result, as the message contract has it."""

    record: Record
    body: dict[str, Any]


class Plain(NamedTuple):
    """Says of a sink that it writes just what a result is, its body as JSON with its headers, to one topic.

    Attributes:
        topic: which.
        by_unit: whether the key is the record's unit; else it is that of the message that came in.
    """

    topic: str
    by_unit: bool = False

    def key(self, record: Record) -> bytes | None:
        """Return the key of a record's result."""
        if not self.by_unit:
            return record.key
        return None if record.unit is None else record.unit.encode("utf-8", "replace")


class Sink(Protocol):
    """Delivers results. Its options have `when`; the runtime hands it only what `when` selects.

    One with a property `plain -> Plain` need not be asked: the runtime writes a whole batch for it, the same messages.
    """

    def outgoing(self, results: Sequence[Result]) -> Sequence[Outgoing]:
        """Return the Kafka messages to send for these results, one each, in order."""

    def topics(self) -> Sequence[str]:
        """Return the topics it writes, so that the plan can make them."""


@runtime_checkable
class Opens(Protocol):
    """A step that loads something heavy: done in the worker before its first batch, never by `check`."""

    def open(self, context: StepContext) -> None:
        """Load what the step needs; a failure here stops the worker with one clear error."""

    def close(self) -> None:
        """Give everything back; called once, also after a failure."""


@runtime_checkable
class Warms(Protocol):
    """A step that gets faster by a few runs before its first batch: it fills caches, or measures itself."""

    def warm_up(self) -> None:
        """Do so, in about a second: the worker joins its group meanwhile, and its first batch waits for the end.

        Called after `open`, by the thread that runs the batches. A failure is logged and stops nothing.
        """


Factory = Callable[..., Any]


@dataclass(frozen=True)
class StepSpec:
    """A step as a plugin registered it: its kind and name, what makes it, and its options model."""

    kind: Kind
    name: str
    factory: Factory
    options: type[Options]
    distribution: str = field(default="", compare=False)

    @property
    def summary(self) -> str:
        """The first line of its docstring."""
        return (inspect.getdoc(self.factory) or "").partition("\n")[0]


def bind(spec: StepSpec, options: Options) -> Any:
    """Return the step: the class made with its options, or the function lifted over the batch.

    Raises:
        StepOpenError: HR604, the plugin's constructor raised something of its own.
    """
    try:
        return _bind(spec, options)
    except HeadraceError:
        raise
    except Exception as error:
        raise StepOpenError(
            f"{spec.kind} {spec.name!r} could not be made: {type(error).__name__}: {error}",
            mend=f"correct its options, or update {spec.distribution or 'its plugin'}",
        ) from error


def model_facts(model: Any, context: StepContext) -> ModelFacts:
    """Return what a model says of itself; one that says nothing has its name as version."""
    facts = getattr(model, "facts", None)
    return facts(context) if facts else ModelFacts(version=context.name)


def given_tensors(codec: Any) -> tuple[TensorSpec, ...]:
    """Return the tensors that a codec reads of each message; none of one that does not say."""
    return tuple(getattr(codec, "tensors", ()))


def routed_orders(router: Any, context: StepContext) -> Sequence[Sequence[str]]:
    """Return the orders in which a router may ask models; one that does not say may ask any after any other."""
    orders = getattr(router, "orders", None)
    if orders:
        return [tuple(order) for order in orders(context)]
    models = routed_models(router, context)
    return [(one,) for one in models] + [(one, other) for one in models for other in models if one != other]


def routed_joins(router: Any, context: StepContext) -> Sequence[Decision]:
    """Return the parallel decisions that a router may take; one that does not say takes none."""
    joins = getattr(router, "joins", None)
    return tuple(joins(context)) if joins else ()


def routed_models(router: Any, context: StepContext) -> Sequence[str]:
    """Return the models a router may choose; one that does not say may choose any."""
    models = getattr(router, "models", None)
    return models(context) if models else context.models


def _bind(spec: StepSpec, options: Options) -> Any:
    function = spec.factory
    if isinstance(function, type):
        return function(options) if _takes(function) else function()
    one = (lambda item: function(item, options)) if _takes(function, beside=1) else function
    return _LIFTS[spec.kind](one)


def _takes(factory: Factory, beside: int = 0) -> bool:
    return len(inspect.signature(factory).parameters) > beside


class _LiftedCodec:
    def __init__(self, decode: Callable[[Message], Content]) -> None:
        self.decode = decode


class _LiftedModel:
    def __init__(self, one: Callable[[Record], Output]) -> None:
        self._one = one

    def infer(self, batch: Batch) -> Sequence[Output]:
        return [self._one(record) for record in batch]


class _LiftedRouter:
    def __init__(self, one: Callable[[Record], Decision]) -> None:
        self._one = one

    def route(self, batch: Batch) -> Sequence[Decision]:
        return [self._one(record) for record in batch]


def _lift_change(one: Callable[[Record], Record]) -> Callable[[Batch], Batch]:
    return lambda batch: batch.map(one)


_LIFTS: Mapping[str, Callable[[Any], Any]] = {
    "codec": _LiftedCodec,
    "preprocess": _lift_change,
    "postprocess": _lift_change,
    "model": _LiftedModel,
    "router": _LiftedRouter,
}
