"""Read messages whose value is JSON: any value, or a structured CloudEvent around one."""

from __future__ import annotations

from headrace import Catalog, Content, Message, hookimpl
from headrace.plugins.codecs.event import STRUCTURED, content_type, media_type, read_structured
from headrace.plugins.codecs.value import read_json

__all__ = ["decode_json", "headrace_register"]


def decode_json(message: Message) -> Content:
    """Read JSON in UTF-8, of any kind; an event of type `application/cloudevents+json` is unwrapped.

    Raises:
        RecordError: HR510 or HR511, the value is not JSON; HR512 to HR516, it is a broken event.
    """
    if message.headers and media_type(content_type(message)) == STRUCTURED:
        return read_structured(message)
    return Content(value=read_json(message.value or b""))


@hookimpl
def headrace_register(catalog: Catalog) -> None:
    """Register the codec `json`."""
    catalog.codec("json", decode_json)
