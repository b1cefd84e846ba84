"""The step `normalise`: what goes, what stays, and laws that hold for any text."""

# ruff: noqa: RUF001 - characters that look like others are what this step is about

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Literal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from headrace import Record
from headrace.plugins.preprocess.normalise import NormaliseOptions, normalise, normalised

MakeRecord = Callable[..., Record]
DEFAULT = NormaliseOptions()
PIECES = st.sampled_from(
    """
    < > & ; # / = ' " <b> </b> <br> <b <i> <p> <script> </script> <style> <!-- --> <a href= amp; &amp; &lt; &gt; lt;
    &#60; &#x26; &#38; #112; &nbsp; &am p a b i x é ＜ ﬁ क ष 👩 ⚕ ❤
    """.split()  # noqa: SIM905 - pieces read better in lines than in a column
) | st.sampled_from("  \t\n\x00\x1c\x85\xa0\xad\u0301\u0338\u200b\u200c\u200d\u2028\u180e\ufe0f\ufeff\ud83d")
TEXTS = st.lists(PIECES, max_size=24).map("".join) | st.text(st.characters())
OPTIONS = st.builds(
    NormaliseOptions,
    unicode=st.sampled_from(["NFC", "NFKC", "off"]),
    html=st.booleans(),
    whitespace=st.booleans(),
)


@given(text=TEXTS, options=OPTIONS)
@example(text="&am&#112;;lt;b&gt;", options=DEFAULT)
@example(text="<<b>b>", options=DEFAULT)
@example(text="<\x00b>x</b>", options=DEFAULT)
@example(text="e\u200b\u0301", options=DEFAULT)
@example(text="&" + "amp;" * 9, options=DEFAULT)
@example(text="क\u200d\u180eष", options=DEFAULT)
def test_doing_it_twice_changes_nothing_more(text: str, options: NormaliseOptions) -> None:
    once = normalised(text, options)
    assert normalised(once, options) == once


@given(text=TEXTS, options=OPTIONS)
def test_a_letter_outside_of_markup_is_never_lost(text: str, options: NormaliseOptions) -> None:
    options = NormaliseOptions(unicode=options.unicode, whitespace=options.whitespace, html=False)
    if any(unicodedata.category(character).startswith("L") for character in text):
        assert normalised(text, options) != ""
        assert normalised(f"<p>{text.replace('<', '').replace('&', '')}</p>", options) != ""


@given(text=TEXTS, options=OPTIONS)
@example(text="two  spaces", options=DEFAULT)
@example(text=" one before", options=DEFAULT)
@example(text="one after ", options=DEFAULT)
def test_the_step_gives_what_its_function_gives_and_changes_nothing_else(
    record: MakeRecord, text: str, options: NormaliseOptions
) -> None:
    before = record(text, key=b"ann", tags={"seen": "yes"})
    after = normalise(before, options)
    assert after == before.with_text(normalised(text, options))
    assert before.text == text


@given(text=st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="<&"), min_size=1))
def test_a_plain_text_comes_back_as_the_same_record(record: MakeRecord, text: str) -> None:
    before = record(f"{text} {text}")
    assert normalise(before, DEFAULT) is before


@given(text=TEXTS)
def test_no_white_space_but_single_spaces_remains(text: str) -> None:
    clean = normalised(text, DEFAULT)
    assert clean == " ".join(clean.split())
    assert not any(unicodedata.category(character) == "Cc" for character in clean)


@given(text=TEXTS, form=st.sampled_from(["NFC", "NFKC"]))
def test_the_text_has_the_form_that_was_asked_for(text: str, form: Literal["NFC", "NFKC"]) -> None:
    assert unicodedata.is_normalized(form, normalised(text, NormaliseOptions(unicode=form)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<p>Great<br>film &amp; <b>cast</b>!</p>", "Great film & cast!"),
        ("<h1>Title</h1>text", "Title text"),
        ("H<sub>2</sub>O", "H2O"),
        ("<a href='x>y' title=\"<b>\">link</a>", "link"),
        ("<input disabled>yes", "yes"),
        ("<BR/>loud<Br />", "loud"),
        ("<script>if (a < b) alert('<b>')</script>ok <STYLE type=x>p {}</style> end", "ok end"),
        ("<script>never closed", "never closed"),
        ("<!-- hidden --> seen <!-- not closed", "seen <!-- not closed"),
        ("<!DOCTYPE html><?xml version='1.0'?>text", "text"),
        ("&lt;b&gt;escaped&lt;/b&gt;", "escaped"),
        ("&amp;lt;i&amp;gt;escaped twice", "escaped twice"),
        ("&eacute;&#233;&#xE9;&#150;", "ééé–"),
        ("<p>&nbsp;</p>", ""),
    ],
)
def test_html_goes(text: str, expected: str) -> None:
    assert normalised(text, DEFAULT) == expected


@pytest.mark.parametrize(
    "text",
    [
        "a < b and c > d",
        "I <3 you",
        "if a <b and c> d",
        "<wow> what a film",
        "<p it's no tag>",
        "mail <joe@example.org> or <https://example.org>",
        "AT&T, R&B, &c.",
        "https://example.org/?a=1&copy=2&section=3",
        "&notit; &foo;",
        "5 > 4 && 3 < 4",
    ],
)
def test_what_only_looks_like_html_stays(text: str) -> None:
    assert normalised(text, DEFAULT) == text


def test_html_stays_when_the_option_says_so() -> None:
    assert normalised("<b>a</b> &amp; b", NormaliseOptions(html=False)) == "<b>a</b> &amp; b"


def test_more_layers_than_anybody_makes_by_accident_stay_whole() -> None:
    text = "<b>x</b> &" + "amp;" * 20
    assert normalised(text, DEFAULT) == text


@pytest.mark.parametrize(
    "text",
    [
        "👩\u200d⚕\ufe0f ❤\ufe0f\u200d🔥 🏳\ufe0f\u200d🌈 👨🏽\u200d👩🏽\u200d👧🏽",
        "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f 1\ufe0f\u20e3",
        "می\u200cخواهم",
        "क्\u200dष",
        "这部电影很好看。",
        "naïve café",
    ],
)
def test_emoji_and_other_scripts_stay(text: str) -> None:
    assert normalised(text, DEFAULT) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  a \t b\r\n\u3000c\u2028d\x85e\x1cf ", "a b c d e f"),
        ("fr\u200bee\ufeff so\u00adft\x00 \u200dx\u200cy", "free soft xy"),
        ("cafe\u0301 e\u200b\u0301", "café é"),
        ("\u202eevil\u202c", "evil"),
    ],
)
def test_white_space_becomes_single_spaces_and_the_invisible_goes(text: str, expected: str) -> None:
    assert normalised(text, DEFAULT) == expected


def test_white_space_stays_when_the_option_says_so() -> None:
    assert normalised(" a\n\tb\x00 ", NormaliseOptions(whitespace=False)) == " a\n\tb\x00 "


def test_the_unicode_form_is_the_one_of_the_options() -> None:
    text = "ﬁne cafe\u0301 ＜b＞x＜/b＞"
    assert normalised(text, DEFAULT) == "ﬁne café ＜b＞x＜/b＞"
    assert normalised(text, NormaliseOptions(unicode="NFKC")) == "fine café x"
    assert normalised(text, NormaliseOptions(unicode="off")) == text


# Each would take from minutes to days if any pattern looked at a character more than a few times.
@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "piece",
    [
        *("<", "</", "< ", "<b>", "<b ", "<b/ ", " <b\t", "<p '", "<p \"'", "'\"<p ", "<a =", "<!doctype", "<?xml"),
        *("<!--", "--><!--", "<script>", "<script><style>", "&", "&#", "&amp;", "&am&#112;;"),
        *("\u200d", "é\u200b", "क\u200d"),
    ],
)
def test_the_time_grows_only_with_the_length_however_broken_the_text(piece: str) -> None:
    text = "</>" + piece * (262_144 // len(piece))  # the first characters open the way to every pattern
    assert len(normalised(text, DEFAULT)) <= len(text)
