"""HTML taken out of a text: tags, comments, scripts and styles go, entities become the characters they stand for.

Regular expressions rather than a parser: what only looks like HTML must stay (`a < b`, `<3`, `<you@home.org>`, `if a <b
and c> d`), and no text, however broken, may take more time than its length is worth. So no pattern here runs past the
next opening of its own kind, and none gives back what it took.
"""

from __future__ import annotations

import re
from html import unescape
from html.entities import html5

__all__ = ["has_markup", "without_markup"]

# A tag of these joins what stands around it; one of the others stands between two words.
_INLINE = frozenset(
    """
    a abbr acronym b bdi bdo big cite code data del dfn em font i ins kbd label mark nobr q rb rp rt ruby s samp small
    span strike strong sub sup time tt u var wbr
    """.split()  # noqa: SIM905 - a hundred names read better in lines than in a column
)
_OTHER = frozenset(
    """
    address applet area article aside audio base basefont blink blockquote body br button canvas caption center col
    colgroup datalist dd details dialog dir div dl dt embed fieldset figcaption figure footer form frame frameset g h1
    h2 h3 h4 h5 h6 head header hgroup hr html iframe img input legend li link main map marquee math menu meta meter nav
    noembed noframes noscript object ol optgroup option output p param path picture plaintext pre progress script
    search section select slot source style summary svg table tbody td template textarea tfoot th thead title tr track
    ul video xmp
    """.split()  # noqa: SIM905 - as above
)

_DECLARATION = re.compile(r"<!--(?:(?!<!--|-->).)*+-->|<!doctype[^<>]*>|<\?xml[^<>]*>", re.IGNORECASE | re.DOTALL)
_SCRIPT = re.compile(r"<(script|style)\b[^<>]*>(?:(?!</?\1\b).)*+</\1\s*>", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"""</?([a-z][a-z0-9]*)(?=[\s/>])((?:[^"'<>]|"[^"]*"|'[^']*')*+)>""", re.IGNORECASE)
# With its semicolon only: `?a=1&copy=2` and `AT&T` are no HTML.
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});")


def has_markup(text: str) -> bool:
    """Whether the text could hold any HTML at all; a quick look, not an answer."""
    return "<" in text or "&" in text


def without_markup(text: str) -> str:
    """Return the text with one layer of HTML taken out: what an entity hides is not looked at again."""
    if "<!" in text or "<?" in text:
        text = _DECLARATION.sub(" ", text)
    if "</" in text:
        text = _SCRIPT.sub(" ", text)
    if "<" in text:
        text = _TAG.sub(_in_place_of_tag, text)
    return _ENTITY.sub(_in_place_of_entity, text) if "&" in text else text


def _in_place_of_tag(tag: re.Match[str]) -> str:
    name, attributes = tag[1].lower(), tag[2]
    if len(name) == 1 and _is_prose(attributes):
        return tag[0]
    if name in _INLINE:
        return ""
    return " " if name in _OTHER else tag[0]


def _is_prose(attributes: str) -> bool:
    """Whether words without an equals sign follow: attributes of one-letter tags have one, `a <b and c> d` has none."""
    return "=" not in attributes and attributes.strip(" /\t\n\r\f") != ""


def _in_place_of_entity(entity: re.Match[str]) -> str:
    name = entity[0][1:]
    return unescape(entity[0]) if name[0] == "#" else html5.get(name, entity[0])
