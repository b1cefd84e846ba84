"""Whether what the input's codec gives is what the models take: texts, or tensors by name, type and shape."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from headrace.core.config.document import Document
from headrace.core.config.errors import InvalidValueError, TensorInputError, TextPathError
from headrace.core.config.pipeline import PipelineFile
from headrace.core.errors import HeadraceError
from headrace.core.plan.flow import Flow
from headrace.core.plan.plan import ModelPlan, StepPlan
from headrace.core.step import given_tensors
from headrace.core.tensor import TensorSpec

__all__ = ["feeding_problems", "reads_text"]


def reads_text(flow: Flow) -> bool:
    """Whether a model, of the base or of a variant, reads the record's text."""
    return any(_reads_text(model) for model in _models(flow))


def feeding_problems(
    document: Document, envelope: PipelineFile, codec: StepPlan, flow: Flow
) -> Iterator[HeadraceError]:
    """Yield what is wrong between the input and the models, each at its place."""
    step = codec.bind()
    tensors = given_tensors(step)
    yield from _text_problems(document, envelope, codec, flow, has_value=getattr(step, "has_value", True))
    for model in _models(flow):
        yield from _tensor_problems(model, codec, tensors)
    largest = sum(spec.size_bytes for spec in tensors) if all(spec.is_fixed for spec in tensors) else 0
    if largest > envelope.input.max_bytes and not getattr(step, "has_value", True):
        yield TensorInputError(
            f"the tensors of a message have {largest:,} bytes, and input.max_bytes is {envelope.input.max_bytes:,}",
            mend="raise input.max_bytes",
            place=codec.place,
        )
    if tensors and envelope.link.tensors == "float16":
        yield TensorInputError(
            "link.tensors: float16 would round the tensors of the input on their way to another process",
            mend="remove it; it is for sharded models",
            place=document.key_place(("link", "tensors")),
        )


def _text_problems(
    document: Document, envelope: PipelineFile, codec: StepPlan, flow: Flow, *, has_value: bool
) -> Iterator[HeadraceError]:
    given = envelope.input
    if given.codec is not None and given.format is not None:
        yield InvalidValueError(
            "input has both codec and format", mend="keep one", place=document.key_place(("input", "format"))
        )
    if codec.spec.name == "text" and given.text:
        yield TextPathError(
            "the whole message is text, so there is no path into it",
            mend="remove input.text",
            place=document.key_place(("input", "text")),
        )
    for key, path in (("text", given.text), ("unit", given.unit)):
        if path and not has_value:
            yield TextPathError(
                f"the whole message is raw tensors, so there is no path into it for input.{key}",
                mend=f"remove input.{key}, or publish JSON",
                place=document.key_place(("input", key)),
            )
    if (codec.spec.name == "json" or given_tensors(codec.bind())) and reads_text(flow) and not given.text:
        yield TextPathError(
            "the models need a text, and input does not say where it is",
            mend="add text: PATH, or format: text" if codec.spec.name == "json" else "add text: PATH",
            place=document.key_place(("input",)),
        )


def _tensor_problems(model: ModelPlan, codec: StepPlan, given: Sequence[TensorSpec]) -> Iterator[HeadraceError]:
    name, facts = model.step.name, model.facts
    if given and facts.shards:
        yield TensorInputError(
            f"model {name!r} is sharded, and its parts and the input would both send tensors along",
            mend="use a whole version of the model",
            place=model.step.place,
        )
    by_name = {spec.name: spec for spec in given}
    for wanted in facts.inputs:
        found = by_name.get(wanted.name)
        if found is None or found.dtype != wanted.dtype or not found.fits(wanted.shape):
            gives = ", ".join(map(str, given)) or "no tensors"
            yield TensorInputError(
                f"model {name!r} takes {wanted}, and codec {codec.spec.name!r} gives {gives}",
                mend=f"add it to input: {_mend(facts.inputs)}" if found is None else f"read it so: {_mend((wanted,))}",
                place=model.step.place,
            )
            return


def _mend(wanted: Sequence[TensorSpec]) -> str:
    tensors = ", ".join(f"{one.name}: {{dtype: {one.dtype}, shape: {list(one.shape)}}}" for one in wanted)
    return f"{{codec: {{tensor: {{tensors: {{{tensors}}}}}}}}}"


def _models(flow: Flow) -> Iterator[ModelPlan]:
    """Yield every model of which something is known."""
    every = (flow.models, *(variant.models for variant in flow.variants.values()))
    return (model for models in every for model in models.values() if model.facts.version)


def _reads_text(model: ModelPlan) -> bool:
    return not model.facts.inputs
