"""Make texts uniform before they are read: one Unicode form, no HTML, no invisible characters, single spaces."""

from __future__ import annotations

import re
from typing import Literal
from unicodedata import normalize

from pydantic import Field

from headrace import Catalog, Options, Record, hookimpl
from headrace.plugins.preprocess.markup import has_markup, without_markup

__all__ = ["NormaliseOptions", "headrace_register", "normalise", "normalised"]

# Text that was escaped once too often is common, three times is rare; a text that needs more is no accident.
_LAYERS = 8

# Controls that are not white space, soft hyphens, zero-width spaces and byte order marks, marks of direction.
_UNSEEN = re.compile(
    r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]+"
)
# Joiners are spelling in scripts from Arabic to Mongolian, and the glue of emoji; anywhere else they are noise.
_JOINED = r"[\u0620-\u1cff\u2190-\u2bff\ufe0f\U0001f000-\U0001faff]"
_STRAY_JOINER = re.compile(rf"[\u200c\u200d](?:(?<!{_JOINED}.)|(?!{_JOINED}))")


class NormaliseOptions(Options):
    """What a pipeline file may say of `normalise`."""

    unicode: Literal["NFC", "NFKC", "off"] = Field(
        default="NFC", description="Unicode form; NFKC also makes wide, raised and ligature characters plain; off keeps"
    )
    html: bool = Field(
        default=True,
        description="take out HTML: tags, comments, scripts, styles, entities are resolved; escaped tags are tags",
    )
    whitespace: bool = Field(
        default=True,
        description="make each run of white space one space, trim, and take out control and zero-width characters",
    )


def normalise(record: Record, options: NormaliseOptions) -> Record:
    """Return the record with its text made uniform; emoji, accents and all other scripts stay as they are."""
    text = record.text
    return record if _is_plain(text) else record.with_text(normalised(text, options))


def normalised(text: str, options: NormaliseOptions) -> str:
    """Return the text made uniform. Doing it twice changes nothing more.

    HTML is taken out layer by layer until nothing changes, since publishers escape what was escaped before. A text
    with more layers than anybody makes by accident keeps its HTML whole.
    """
    cleaned = _cleaned(text, options)
    if not (options.html and has_markup(cleaned)):
        return cleaned
    before = cleaned
    for _ in range(_LAYERS):
        after = _cleaned(without_markup(before), options)
        if after == before:
            return after
        before = after
    return cleaned


def _is_plain(text: str) -> bool:
    """Whether no option could change the text: most texts, so they are let through in under a microsecond."""
    return (
        text.isascii()
        and text.isprintable()
        and not has_markup(text)
        and "  " not in text
        and not text.startswith(" ")
        and not text.endswith(" ")
    )


def _cleaned(text: str, options: NormaliseOptions) -> str:
    if options.unicode != "off":
        text = normalize(options.unicode, text)
    if not options.whitespace:
        return text
    text = text.strip()
    if "  " not in text and text.isprintable():  # a space is the only white space that is
        return text
    text = " ".join(text.split())
    if text.isprintable():  # then nothing in it is invisible, and there is nothing to look for
        return text
    text = _seen(text)
    if options.unicode != "off":
        # What an invisible character kept apart, such as a letter and its accent, is one character now.
        text = normalize(options.unicode, text)
    return " ".join(text.split())


def _seen(text: str) -> str:
    text = _UNSEEN.sub("", text)
    return _STRAY_JOINER.sub("", text) if "\u200c" in text or "\u200d" in text else text


@hookimpl
def headrace_register(catalog: Catalog) -> None:
    """Register the step `normalise`."""
    catalog.preprocess("normalise", normalise, options=NormaliseOptions)
