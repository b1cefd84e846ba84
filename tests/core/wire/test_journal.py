"""What a committed offset says besides: it comes back as it was, fits, and nobody else's words are taken for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.core.wire.journal import FORMAT, MOST_BYTES, Entry, decode_entry, encode_entry

counts = st.integers(0, 2**40)
names = st.text("0123456789abcdef", min_size=1, max_size=32)
entries = st.builds(
    Entry,
    format=st.just(FORMAT),
    by=names,
    until=st.none() | counts,
    at=st.none() | counts,
    deaths=st.dictionaries(counts, counts, max_size=8),
)


@given(entry=entries)
def test_an_entry_comes_back_as_it_was(entry: Entry) -> None:
    assert decode_entry(encode_entry(entry)) == entry


@given(entry=entries)
def test_an_entry_of_another_format_is_left_alone(entry: Entry) -> None:
    said = encode_entry(entry).replace('"headrace":1', '"headrace":2')
    assert decode_entry(said) is None


@given(words=st.none() | st.text() | st.recursive(st.none() | counts, st.lists).map(str))
def test_somebody_else_s_words_are_no_entry(words: str | None) -> None:
    assert decode_entry(words) is None


@pytest.mark.parametrize(
    "words",
    [
        "",
        "{}",
        '{"headrace":1}',
        '{"headrace":1,"by":"a","at":-1}',
        '{"headrace":1,"by":"a","until":1e400}',
        '{"headrace":1,"by":"a","deaths":{"x":1}}',
        "[" * 100_000,
    ],
)
def test_what_is_damaged_is_no_entry(words: str) -> None:
    assert decode_entry(words) is None


@given(first=st.integers(0, 9_000), count=st.integers(200, 3_000), died=st.integers(1, 9))
def test_an_entry_always_fits_and_keeps_what_was_counted_first(first: int, count: int, died: int) -> None:
    deaths = dict.fromkeys(range(first, first + count), died)
    entry = Entry(format=FORMAT, by="a" * 12, until=2**62, at=9_999, deaths=deaths)
    found = decode_entry(encode_entry(entry))
    assert len(encode_entry(entry)) <= MOST_BYTES
    assert found is not None
    assert (found.by, found.until, found.at) == (entry.by, entry.until, entry.at)
    assert list(found.deaths) == list(deaths)[: len(found.deaths)]
    assert len(found.deaths) > 100
