"""Read messages that must be CloudEvents, in binary or structured mode, with data that is JSON or text."""

from __future__ import annotations

from headrace import Catalog, Content, Message, hookimpl
from headrace.core.wire.cloudevents import attributes
from headrace.plugins.codecs.errors import NotAnEventError
from headrace.plugins.codecs.event import (
    BATCHED,
    STRUCTURED,
    check_attributes,
    content_type,
    media_type,
    read_data,
    read_structured,
)

__all__ = ["decode_event", "headrace_register"]


def decode_event(message: Message) -> Content:
    """Read one CloudEvent; a message that is none becomes a dead letter.

    Raises:
        RecordError: HR510 or HR511, its data is not text or JSON; HR512 to HR516, it is no event or a broken one.
    """
    full = content_type(message)
    kind = media_type(full)
    if kind == STRUCTURED:
        return read_structured(message)
    if kind == BATCHED:
        raise NotAnEventError("the message is a batch of CloudEvents", mend="publish one event a message")
    known = attributes(message.headers)
    if not known:
        raise NotAnEventError(
            f"the message has no ce_ headers, and its content type is not {STRUCTURED}",
            mend="publish a CloudEvent, or use codec: json",
        )
    check_attributes(known, "ce_")
    # The attributes stay in the headers, where the runtime reads them whatever the codec.
    return Content(value=read_data(message.value or b"", full))


@hookimpl
def headrace_register(catalog: Catalog) -> None:
    """Register the codec `cloudevents`."""
    catalog.codec("cloudevents", decode_event)
