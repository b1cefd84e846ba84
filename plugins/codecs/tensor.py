"""Read messages that are tensors: lists of numbers in JSON, or raw little-endian bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field, field_validator

from headrace import Catalog, Content, Message, MessageShape, Options, TensorSpec, hookimpl
from headrace.core.tensor import Dtype, Shape, dtype_named
from headrace.plugins.codecs.json import decode_json
from headrace.plugins.codecs.tensor_json import Lists, may_hold_booleans
from headrace.plugins.codecs.tensor_raw import RawReader
from headrace.plugins.codecs.tensor_shape import json_shapes, raw_shapes
from headrace.plugins.codecs.tensor_together import of_lists, of_raw

__all__ = ["TensorCodec", "TensorInput", "TensorOptions"]


class TensorInput(Options):
    """What is known of one tensor."""

    dtype: Dtype = Field(description="type of its numbers, such as float32; FP32 is understood, too")
    shape: Shape = Field(description="sizes of its axes, without one for the batch; -1 is any size")
    path: str | None = Field(
        default=None,
        description="with JSON the dotted path of its list; empty for the whole value; default: the tensor's name",
    )

    @field_validator("dtype", mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        return (dtype_named(value) or value) if isinstance(value, str) else value


class TensorOptions(Options):
    """What a pipeline file may say of `tensor`."""

    tensors: dict[str, TensorInput] = Field(
        min_length=1, description="the tensors of a message, by the names that the model has for them"
    )
    encoding: Literal["json", "raw"] = Field(
        default="json",
        description="json: lists of numbers; raw: the value is their bytes, little-endian, one tensor after the other",
    )
    allow_nan: bool = Field(default=False, description="whether NaN and infinities reach the model")


class TensorCodec:
    """Read tensors for models that take numbers: lists in JSON, or raw little-endian bytes.

    The messages of a batch are read together: an array of a record is a row of the batch's, or looks at the bytes of
    its own message.

    Attributes:
        keeps_values: whether the values of messages that are read together are kept for who asks for them; else they
            are `Late`.
    """

    def __init__(self, options: TensorOptions) -> None:
        self.tensors: Sequence[TensorSpec] = tuple(
            TensorSpec(name=name, dtype=given.dtype, shape=given.shape) for name, given in options.tensors.items()
        )
        self.has_value = options.encoding == "json"
        self.keeps_values = True
        self._paths = {
            name: (name,) if given.path is None else tuple(filter(None, given.path.split(".")))
            for name, given in options.tensors.items()
        }
        self._raw = None if self.has_value else RawReader(self.tensors, allows_nan=options.allow_nan)
        self._allows_nan = options.allow_nan
        self._together = (
            of_lists(
                [(spec, self._paths[spec.name]) for spec in self.tensors],
                allows_nan=options.allow_nan,
                keeps=lambda: self.keeps_values,
            )
            if self.has_value
            else of_raw(self.tensors, allows_nan=options.allow_nan)
        )

    def decode(self, message: Message) -> Content:
        """Return the tensors of a message, and with JSON its value.

        Raises:
            RecordError: HR525 to HR528, a tensor is not what the file says of it; HR510 to HR516, the value is no JSON.
        """
        if self._raw is not None:
            return Content(value=None, tensors=self._raw.read(message))
        content = decode_json(message)
        lists = Lists(content.value, has_booleans=may_hold_booleans(message.value or b""), allows_nan=self._allows_nan)
        tensors = {spec.name: lists.read(self._paths[spec.name], spec) for spec in self.tensors}
        return Content(value=content.value, attributes=content.attributes, tensors=tensors)

    def decode_all(self, messages: Sequence[Message]) -> Sequence[Content] | None:
        """Return what `decode` returns for each of these messages; None when they have to be read one by one.

        Raises:
            RecordError: HR510 to HR528, the same, and for nobody to see.
        """
        return None if self._together is None else self._together(messages)

    def shapes(self, value: Mapping[str, Any]) -> Sequence[MessageShape]:
        """Return the kinds of messages that are read.

        Args:
            value: JSON Schema of what the pipeline reads beside the tensors.
        """
        if self.has_value:
            return json_shapes(value, [(spec, self._paths[spec.name]) for spec in self.tensors])
        return raw_shapes(self.tensors)


@hookimpl
def headrace_register(catalog: Catalog) -> None:
    """Register the codec `tensor`."""
    catalog.codec("tensor", TensorCodec, options=TensorOptions)
