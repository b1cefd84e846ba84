"""Read messages whose whole value is text."""

from __future__ import annotations

from headrace import Catalog, Content, Message, hookimpl
from headrace.plugins.codecs.value import read_text

__all__ = ["decode_text", "headrace_register"]


def decode_text(message: Message) -> Content:
    """Read text in UTF-8; a byte order mark is left out, an empty text is fine.

    Raises:
        NotUtf8Error: HR510, with the first byte that is not UTF-8.
    """
    return Content(value=read_text(message.value or b""))


@hookimpl
def headrace_register(catalog: Catalog) -> None:
    """Register the codec `text`."""
    catalog.codec("text", decode_text)
