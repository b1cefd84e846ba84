"""What can be wrong with the bytes of a message; each makes a dead letter, and no message repeats the payload."""

from __future__ import annotations

from headrace import RecordError

__all__ = [
    "EventAttributeError",
    "EventAttributeMissingError",
    "EventContentTypeError",
    "EventDataError",
    "NotAnEventError",
    "NotJsonError",
    "NotUtf8Error",
    "TensorDtypeError",
    "TensorMissingError",
    "TensorNotFiniteError",
    "TensorShapeError",
]


class NotUtf8Error(RecordError):
    """The bytes are not UTF-8.

    The message names the first byte that no UTF-8 text can have there, counted from 0. Usual causes: Latin-1 or
    UTF-16 text, compressed or binary data, or a schema registry's Avro. Mend: encode the value as UTF-8.
    """

    code = "HR510"


class NotJsonError(RecordError):
    """The value is not JSON.

    The message says what was expected, and at which line and column. NaN, Infinity, single quotes, trailing commas
    and comments are not JSON; neither is a value nested deeper than about a thousand levels. Mend: publish one JSON
    value a message, or use `input: {format: text}` when messages are plain text.
    """

    code = "HR511"


class NotAnEventError(RecordError):
    """The message is not a CloudEvent.

    With `codec: cloudevents` a message has headers `ce_specversion`, `ce_id`, `ce_source` and `ce_type` (binary
    mode), or the content type `application/cloudevents+json` and a JSON object (structured mode). A batch of events
    in one message is not part of the Kafka binding. Mend: publish one event a message, or use `codec: json`, which
    takes plain JSON and structured events alike.
    """

    code = "HR512"


class EventAttributeMissingError(RecordError):
    """A CloudEvent lacks an attribute that every event must have.

    `specversion`, `id`, `source` and `type` are required and not empty; in binary mode they are headers with the
    prefix `ce_`. Mend: set the attributes that the message names.
    """

    code = "HR513"


class EventAttributeError(RecordError):
    """An attribute of a CloudEvent has a value that an attribute cannot have.

    Attributes are strings, booleans or whole numbers, never objects or lists, and `specversion` is 1.0 (any 1.x is
    read). Mend: put structured values into `data`, and publish events of version 1.0.
    """

    code = "HR514"


class EventDataError(RecordError):
    """The data of a structured CloudEvent cannot be taken from its envelope.

    An event has `data`, or `data_base64` (a string of standard base64), or neither; never both. Mend: keep one of
    them.
    """

    code = "HR515"


class EventContentTypeError(RecordError):
    """The data of a CloudEvent is neither JSON nor text.

    Read are application/json, anything ending in +json, and text/*; no content type means JSON. Images, Avro,
    Protobuf and XML are not turned into text by guess. Mend: publish JSON or text, with its content type.
    """

    code = "HR516"


class TensorMissingError(RecordError):
    """The message lacks a tensor that the pipeline's input says it has.

    With `encoding: json` there is nothing, or null, at the tensor's path, or the value is no JSON object. Mend:
    publish a list of numbers there, or correct `path` in the codec's options.
    """

    code = "HR525"


class TensorDtypeError(RecordError):
    """The numbers of a tensor are not of its type.

    A JSON list holds text, null, objects or booleans where numbers belong, fractions where whole numbers belong, or
    numbers beyond the range of the type; raw booleans are bytes other than 0 and 1; or the header `tensor.dtype` names
    another type than the pipeline's file, or none that there is. Nothing is converted by guess. Mend: publish what the
    message asks for.
    """

    code = "HR526"


class TensorShapeError(RecordError):
    """A tensor has not as many numbers, or not the shape, that it must have.

    The message says how many bytes or numbers came and how many belong there. JSON lists are nested as the shape is,
    each level evenly, or one flat list in row-major order. Raw tensors of which several axes are free come with a
    header `tensor.shape` each, such as `3,28`. Mend: publish the whole tensor, or correct the shape.
    """

    code = "HR527"


class TensorNotFiniteError(RecordError):
    """A tensor holds NaN or an infinity, or a number that its type cannot hold.

    Most models answer NaN to NaN, and some answer nonsense. The message says at which place it is, counted from 0.
    Mend: publish a number, or set `allow_nan: true` in the codec's options for a model that knows what it means.
    """

    code = "HR528"
