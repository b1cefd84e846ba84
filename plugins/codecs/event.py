"""CloudEvents 1.0 as they come in: which mode a message has, what its attributes are, and the data inside.

Source: CloudEvents JSON event format 1.0.2, and Kafka protocol binding 1.0.2.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Mapping
from typing import Any

from headrace import Content, Message
from headrace.core.wire.json import replace_surrogates
from headrace.plugins.codecs.errors import (
    EventAttributeError,
    EventAttributeMissingError,
    EventContentTypeError,
    EventDataError,
    NotAnEventError,
)
from headrace.plugins.codecs.value import read_json, read_text

__all__ = ["BATCHED", "STRUCTURED", "check_attributes", "content_type", "media_type", "read_data", "read_structured"]

STRUCTURED = "application/cloudevents+json"
BATCHED = "application/cloudevents-batch+json"
_REQUIRED = ("specversion", "id", "source", "type")
_DATA = ("data", "data_base64")


def content_type(message: Message) -> str:
    """Return the message's content type with its parameters, in lower case; empty when it has none."""
    for name, value in message.headers:
        if name.lower() == "content-type" and value is not None:
            return value.decode("utf-8", "replace").lower()
    return ""


def media_type(full: str) -> str:
    """Return a content type without its parameters."""
    return full.partition(";")[0].strip()


def read_structured(message: Message) -> Content:
    """Return the data and the attributes of an event whose envelope is the message's value.

    Raises:
        RecordError: HR510 to HR516, the envelope is not one.
    """
    envelope = read_json(message.value or b"")
    if not isinstance(envelope, dict):
        raise NotAnEventError("the event is JSON, but not an object", mend="publish one event a message")
    attributes = {
        name: _attribute(name, value) for name, value in envelope.items() if name not in _DATA and value is not None
    }
    check_attributes(attributes)
    return Content(value=_data(envelope, attributes), attributes=attributes)


def check_attributes(attributes: Mapping[str, str], prefix: str = "") -> None:
    """Raise when the attributes are not those of an event.

    Args:
        attributes: names without prefix -> values.
        prefix: what stands before a name where the publisher writes it.

    Raises:
        EventAttributeMissingError: HR513, a required one is missing or empty.
        EventAttributeError: HR514, the event's version is not 1.x.
    """
    missing = ", ".join(prefix + name for name in _REQUIRED if not attributes.get(name))
    if missing:
        raise EventAttributeMissingError(f"the event has no {missing}", mend="set it; every CloudEvent needs it")
    if not attributes["specversion"].startswith("1."):
        raise EventAttributeError(f"{prefix}specversion is not 1.0", mend="publish CloudEvents of version 1.0")


def read_data(data: bytes, full: str, what: str = "the value") -> Any:
    """Return an event's data as its content type has it: a JSON value or text.

    Args:
        data: the bytes.
        full: the content type; empty means JSON.
        what: what the bytes are, for the error.

    Raises:
        RecordError: HR510, HR511 or HR516, the bytes or their type are not what is read.
    """
    kind = media_type(full.lower())
    if not kind or kind.endswith(("/json", "+json")):
        return read_json(data, what)
    if kind.startswith("text/"):
        return read_text(data, what)
    raise EventContentTypeError(f"the data is {kind[:80]!r}, neither JSON nor text", mend="publish JSON or text")


def _attribute(name: str, value: Any) -> str:
    if isinstance(value, str):
        return replace_surrogates(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    raise EventAttributeError(
        f"attribute {name[:80]!r} is not a string, boolean or whole number", mend="put structured values into data"
    )


def _data(envelope: Mapping[str, Any], attributes: Mapping[str, str]) -> Any:
    encoded = envelope.get("data_base64")
    if encoded is None:
        return envelope.get("data")
    if envelope.get("data") is not None:
        raise EventDataError("the event has both data and data_base64", mend="keep one")
    try:
        data = b64decode(encoded, validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise EventDataError("data_base64 is not a string of base64", mend="encode it, or publish data") from None
    return read_data(data, attributes.get("datacontenttype", ""), "data_base64")
