"""A catalog of small steps, so that the compiler is tested without the built-in plugins."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import Field

from headrace.core.catalog import Catalog
from headrace.core.errors import HeadraceError, ProblemsError
from headrace.core.experiments.experiment import Assigned
from headrace.core.options import Options, SinkOptions
from headrace.core.plan.compile import compile_file
from headrace.core.plan.plan import Plan
from headrace.core.record import Batch, Content, Message, Outgoing, Output, Record
from headrace.core.registry.errors import UnknownModelError
from headrace.core.routing.decision import Candidate, Decision
from headrace.core.step import ModelFacts, Result, ShardFacts, StepContext

MINIMAL = """\
headrace: 1
pipeline: reviews
input: {topic: reviews, text: body}
models:
  quick: lexicon
output:
  - topic: {name: reviews.scored}
"""


class NormaliseOptions(Options):
    form: Literal["NFC", "NFKC"] = "NFC"


class LabelsOptions(Options):
    threshold: float = Field(default=0.5, ge=0, le=1)
    otherwise: str = Field(default="unsure", description="the label of unsure results")
    bands: list[dict[str, int]] = Field(default=[])


class TopicOptions(SinkOptions):
    name: str
    partitions: int | None = None


class SingleOptions(Options):
    model: str


class CascadeOptions(Options):
    order: list[str] = Field(min_length=1, description="models in the order they are asked")
    accept: float


class StoredOptions(Options):
    model: str
    hash: str = "0"
    parts: int = 0
    bytes_per_record: int = 0


class Stored:
    """A model whose files may be missing."""

    def __init__(self, options: StoredOptions) -> None:
        self.options = options

    def infer(self, batch: Batch) -> Sequence[Output]:
        return [{} for _ in batch]

    def facts(self, context: StepContext) -> ModelFacts:
        if self.options.model == "lost":
            raise UnknownModelError(f"no model 'lost' in {context.registry}", mend="import it")
        said = self.options
        shards = tuple(
            ShardFacts(1, f"{said.hash}.{at}", said.bytes_per_record if at + 1 < said.parts else 0)
            for at in range(said.parts)
        )
        return ModelFacts(version=f"{said.model}@1", hash=said.hash, shards=shards)


class Single:
    def __init__(self, options: SingleOptions) -> None:
        self.options = options

    def route(self, batch: Batch) -> Sequence[Decision]:
        return [Decision(combine="single", steps=(Candidate(model=self.options.model),)) for _ in batch]

    def models(self, context: StepContext) -> Sequence[str]:
        return [self.options.model]


class Cascade:
    def __init__(self, options: CascadeOptions) -> None:
        self.options = options

    def route(self, batch: Batch) -> Sequence[Decision]:
        steps = tuple(Candidate(model=model) for model in self.options.order)
        return [Decision(combine="cascade", steps=steps) for _ in batch]

    def models(self, context: StepContext) -> Sequence[str]:
        return self.options.order

    def orders(self, context: StepContext) -> Sequence[Sequence[str]]:
        return [self.options.order]


class Split:
    def split(self, batch: Batch) -> Sequence[tuple[Assigned, ...]]:
        return [() for _ in batch]


class Topic:
    def __init__(self, options: TopicOptions) -> None:
        self.options = options

    def outgoing(self, results: Sequence[Result]) -> Sequence[Outgoing]:
        return []

    def topics(self) -> Sequence[str]:
        return [self.options.name]


class Explosive:
    def __init__(self) -> None:
        raise RuntimeError("no room\nhere")


def decode(message: Message) -> Content:
    return Content(value=None)


def unchanged(record: Record) -> Record:
    return record


def positive(record: Record) -> Output:
    return {"label": "positive", "score": 1.0}


@pytest.fixture
def minimal() -> str:
    """The shortest pipeline that has a model."""
    return MINIMAL


@pytest.fixture
def catalog() -> Catalog:
    """The steps that the tests' files use."""
    catalog = Catalog()
    for name in ("json", "text", "cloudevents"):
        catalog.codec(name, decode)
    catalog.preprocess("normalise", unchanged, options=NormaliseOptions)
    catalog.postprocess("labels", unchanged, options=LabelsOptions)
    catalog.postprocess("explosive", Explosive)
    catalog.model("lexicon", positive)
    catalog.model("stored", Stored, options=StoredOptions)
    catalog.model("explosive", Explosive)
    catalog.splitter("split", Split)
    catalog.router("single", Single, options=SingleOptions)
    catalog.router("cascade", Cascade, options=CascadeOptions)
    catalog.sink("topic", Topic, options=TopicOptions)
    return catalog


Compile = Callable[..., Plan]


@pytest.fixture
def compiled(tmp_path: Path, catalog: Catalog) -> Compile:
    """Compile a text as `p.yaml`."""

    def compile_text(text: str | bytes, environ: Mapping[str, str] | None = None) -> Plan:
        file = tmp_path / "p.yaml"
        file.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
        return compile_file(file, registry="/models", catalog=catalog, environ=environ or {})

    return compile_text


@pytest.fixture
def problems(compiled: Compile, tmp_path: Path) -> Callable[..., list[str]]:
    """Return everything that is wrong with a text, each as its line would be printed, the folder left out."""

    def problems_of_text(text: str | bytes, **given: Any) -> list[str]:
        try:
            compiled(text, **given)
        except ProblemsError as error:
            return [str(problem).replace(f"{tmp_path}/", "") for problem in error.problems]
        except HeadraceError as error:
            return [str(error).replace(f"{tmp_path}/", "")]
        return []

    return problems_of_text
