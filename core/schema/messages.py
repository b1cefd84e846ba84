"""Every kind of message that Headrace itself writes, from the models that its code holds to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from headrace.core.schema.document import DIALECT, Schema, mapped, model_schema
from headrace.core.schema.shape import MessageShape
from headrace.core.wire.audit import AuditEntry
from headrace.core.wire.control import SETTINGS, Setting
from headrace.core.wire.exposure import ExposureBody
from headrace.core.wire.headers import DeadLetterHeaders, ExposureHeaders, MessageHeaders, ResultHeaders
from headrace.core.wire.result import ResultBody

__all__ = [
    "AUDIT",
    "DEAD_LETTER",
    "EXPOSURE",
    "FRAME",
    "RESULT",
    "SETTING_SHAPES",
    "STATE",
    "message_schemas",
    "open_schema",
]

_TEXT = {"type": "string"}
_INPUT_KEY = {"type": ["string", "null"], "description": "the key of the message that came in, byte for byte"}


def open_schema(model: type[BaseModel]) -> Schema:
    """Return the schema of a model as a reader should hold messages to it: fields may be added to it at any time."""

    def opened(part: Schema) -> Schema:
        return {key: value for key, value in part.items() if (key, value) != ("additionalProperties", False)}

    schema: Schema = mapped(model_schema(model), opened)
    return schema


RESULT = MessageShape(
    name="result",
    summary="The result of one record.",
    body=open_schema(ResultBody),
    headers=open_schema(ResultHeaders),
    key=_INPUT_KEY,
)
DEAD_LETTER = MessageShape(
    name="dead-letter",
    summary="A message that could not become a result: exactly as it came in, with headers that say why.",
    headers=open_schema(DeadLetterHeaders),
    key=_INPUT_KEY,
    content_type="",
)
EXPOSURE = MessageShape(
    name="exposure",
    summary="A unit met a variant of an experiment; of several with one ce_id the earliest counts.",
    body=open_schema(ExposureBody),
    headers=open_schema(ExposureHeaders),
    key={**_TEXT, "description": "the unit"},
)
AUDIT = MessageShape(
    name="audit",
    summary="Somebody changed a setting of the running pipeline.",
    body=open_schema(AuditEntry),
    key={**_TEXT, "description": "the setting's key on the control topic"},
)
FRAME = MessageShape(
    name="frame",
    summary="Records between two of Headrace's own processes, in a form of its own that changes without notice.",
    content_type="application/octet-stream",
)

STATE = MessageShape(
    name="state",
    summary="Answers that wait for others, or the offsets that are through, in a form that changes without notice.",
    key={**_TEXT, "description": "topic:partition:offset of a record that waits, or topic:partition"},
    content_type="application/octet-stream",
)


def _setting_shape(kind: type[Setting]) -> MessageShape:
    said = (kind.__doc__ or "").strip().partition("\n")[0]
    pattern = re.sub(r"\{(\w+)\}", "[^/]+", kind.key)
    return MessageShape(
        name=re.sub(r"(?<!^)(?=[A-Z])", "-", kind.__name__).lower(),
        summary=f"{said} A message without a value takes it away.",
        body=open_schema(kind),
        key={**_TEXT, "pattern": f"^{pattern}$", "description": f"`{kind.key}`"},
    )


SETTING_SHAPES = tuple(_setting_shape(kind) for kind in SETTINGS)

_SHAPES = (RESULT, DEAD_LETTER, EXPOSURE, AUDIT, *SETTING_SHAPES)


def message_schemas() -> Mapping[str, Schema]:
    """Return the JSON Schema of every body and of all headers that Headrace writes or reads, by name."""
    found: dict[str, Schema] = {}
    for shape in _SHAPES:
        if shape.body:
            found[shape.name] = _whole(shape.body, shape.summary)
        if shape.headers:
            found[f"{shape.name}-headers"] = _whole(shape.headers, "")
    found["message-headers"] = _whole(open_schema(MessageHeaders), "")
    return found


def _whole(schema: Mapping[str, Any], summary: str) -> Schema:
    return {"$schema": DIALECT, **schema, "description": schema.get("description", summary)}
