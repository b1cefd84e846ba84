"""From lines to what is published."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis.strategies import binary, sampled_from

from headrace.core.errors import HeadraceError
from headrace.streams.client.lines import Lines
from headrace.streams.client.parcel import Parcel, Wish
from headrace.streams.client.source import chunks, parcels


def published(wish: Wish, text: bytes) -> list[Parcel | None]:
    source = io.BytesIO(text)
    return list(parcels(Lines(lambda: source.read(7)), wish))


def refusal(wish: Wish, text: bytes) -> str:
    with pytest.raises(HeadraceError) as caught:
        published(wish, text)
    return str(caught.value)


# -- JSON lines


def test_json_lines_are_sent_as_they_stand_also_broken_ones() -> None:
    text = b' {"user": "ann",  "text": "a" }\t\n{broken\n\xff\xfe\n[1]\n'
    assert published(Wish("jsonl"), text) == [Parcel(None, line) for line in text.splitlines()]


def test_a_blank_line_is_no_message() -> None:
    assert published(Wish("jsonl"), b'1\n\n  \r\n"x"\n') == [Parcel(None, b"1"), None, None, Parcel(None, b'"x"')]


@pytest.mark.parametrize(
    ("value", "key"),
    [
        (b'{"user": "ann"}', b"ann"),
        (b'{"user": 7}', b"7"),
        (b'{"user": 1.5}', b"1.5"),
        (b'{"user": true}', b"true"),
        (b'{"user": ""}', b""),
        (b'{"user": "\xc3\xa4"}', b"\xc3\xa4"),
        (b'{"user": null}', None),
        (b'{"other": 1}', None),
        (b"[1]", None),
        (b"{broken", None),
        (b'{"user": "\\ud83d"}', b"\xed\xa0\xbd"),
    ],
)
def test_the_key_is_what_lies_at_the_units_path(value: bytes, key: bytes | None) -> None:
    assert published(Wish("jsonl", unit=("user",)), value) == [Parcel(key, value)]


def test_another_key_may_be_named_by_its_path() -> None:
    wish = Wish("jsonl", unit=("user",), key="meta.shop")
    assert published(wish, b'{"user": "ann", "meta": {"shop": "x"}}')[0] == Parcel(
        b"x", b'{"user": "ann", "meta": {"shop": "x"}}'
    )


@pytest.mark.provokes("HR433")
def test_strict_refuses_the_first_line_that_is_no_json_by_its_number() -> None:
    wish = Wish("jsonl", "in.jsonl", strict=True)
    assert refusal(wish, b'{"a": 1}\n\n{"a": }\n').startswith("in.jsonl:3:1 HR433 the line is not JSON: ")
    assert refusal(wish, b"\xff\n").startswith("in.jsonl:1:1 HR433 the line is not JSON: ")


def test_a_line_named_as_tombstone_becomes_one() -> None:
    assert published(Wish("jsonl", tombstone=b"gone"), b"1\ngone\n") == [Parcel(None, b"1"), Parcel(b"gone", None)]


def test_with_an_id_a_line_becomes_a_cloudevent() -> None:
    wish = Wish("jsonl", id="nr", origin="/shop")
    first, second = published(wish, b'{"nr": 5}\n{}\n')
    assert first is not None
    assert dict(first.headers)["ce_id"] == b"5"
    assert dict(first.headers)["ce_source"] == b"/shop"
    assert second == Parcel(None, b"{}")


# -- text


def test_lines_of_text_are_sent_bare_to_a_pipeline_that_reads_text() -> None:
    assert published(Wish("text", is_text=True), b"good \xff\n\nbad") == [
        Parcel(None, b"good \xff"),
        None,
        Parcel(None, b"bad"),
    ]


def test_lines_of_text_are_wrapped_for_a_pipeline_that_reads_json() -> None:
    wish = Wish("text", text=("review", "body"))
    assert published(wish, 'so "good"\n\N{SNOWMAN}'.encode()) == [
        Parcel(None, b'{"review":{"body":"so \\"good\\""}}'),
        Parcel(None, '{"review":{"body":"\N{SNOWMAN}"}}'.encode()),
    ]


@pytest.mark.provokes("HR433")
def test_text_that_json_cannot_hold_is_refused_by_its_line() -> None:
    assert refusal(Wish("text", "in.txt", text=("body",)), b"a\nb\xff\n").startswith(
        "in.txt:2:1 HR433 the line is not UTF-8 at byte 1"
    )


@pytest.mark.provokes("HR435")
def test_text_without_a_place_in_the_json_is_refused() -> None:
    assert refusal(Wish("text"), b"a\n").startswith("HR435 the pipeline reads JSON, and its file names no path")


# -- CSV


def test_a_row_becomes_an_object_named_by_the_header() -> None:
    text = b'\xef\xbb\xbfuser,text\nann,"so ""good"", ""yes"""\n\nben,"two\nlines"\n'
    assert published(Wish("csv", text=("text",), unit=("user",)), text) == [
        Parcel(b"ann", b'{"user":"ann","text":"so \\"good\\", \\"yes\\""}'),
        None,
        Parcel(b"ben", b'{"user":"ben","text":"two\\nlines"}'),
    ]


def test_columns_lie_where_the_pipeline_reads_them() -> None:
    wish = Wish("csv", text=("review", "body"), unit=("review", "user"), text_column="comment")
    assert published(wish, b"review.user,comment,stars\nann,nice,5\n") == [
        Parcel(b"ann", b'{"review":{"user":"ann","body":"nice"},"stars":"5"}')
    ]


@pytest.mark.parametrize(
    ("wish", "text"),
    [
        (Wish("csv", is_text=True), b"comment\nnice\n"),
        (Wish("csv", is_text=True), b"stars,text\n5,nice\n"),
        (Wish("csv", is_text=True, text_column="c"), b"stars,c\n5,nice\n"),
    ],
)
def test_a_pipeline_that_reads_text_gets_the_text_column_alone(wish: Wish, text: bytes) -> None:
    assert published(wish, text) == [Parcel(None, b"nice")]


def test_the_key_may_be_another_column() -> None:
    assert published(Wish("csv", unit=("user",), key="shop"), b"user,shop\nann,x\n")[0] == Parcel(
        b"x", b'{"user":"ann","shop":"x"}'
    )


def test_a_file_without_the_units_column_has_no_keys() -> None:
    assert published(Wish("csv", unit=("user",)), b"a\n1\n") == [Parcel(None, b'{"a":"1"}')]


@pytest.mark.provokes("HR434")
@pytest.mark.parametrize(
    ("wish", "column", "option"),
    [
        (Wish("csv", "in.csv", text=("body",)), "body", "--text-column"),
        (Wish("csv", "in.csv", text_column="body"), "body", "--text-column"),
        (Wish("csv", "in.csv", is_text=True), "text", "--text-column"),
        (Wish("csv", "in.csv", key="shop"), "shop", "--key"),
    ],
)
def test_a_missing_column_is_named_with_those_there_are(wish: Wish, column: str, option: str) -> None:
    assert refusal(wish, b"a,b\n1,2\n") == (
        f"HR434 in.csv has no column {column!r}; its columns are 'a', 'b'; name one of them with {option}"
    )


@pytest.mark.provokes("HR433")
@pytest.mark.parametrize(
    ("text", "line"),
    [
        (b"a,b\n1,2\n3\n", "in.csv:3:1 HR433 the line has 1 of the header's 2 fields"),
        (b'a,b\n"x\ny",2\n1,2,3\n', "in.csv:4:1 HR433 the line has 3 of the header's 2 fields"),
        (b'a,b\n1,"open\n\n', "in.csv:2:1 HR433 the line is not CSV: unexpected end of data"),
        (b'a,b\n1,"x"y\n', "in.csv:2:1 HR433 the line is not CSV: "),
        (b"a,b\n1,\xff\n", "in.csv:2:1 HR433 the line is not UTF-8 at byte 2"),
        (b"a,a\n1,2\n", "in.csv:1:1 HR433 the line names column 'a' twice"),
    ],
)
def test_a_bad_row_is_refused_by_its_first_line(text: bytes, line: str) -> None:
    assert refusal(Wish("csv", "in.csv"), text).startswith(line)


@pytest.mark.provokes("HR433")
def test_columns_that_cannot_be_in_one_object_are_refused() -> None:
    wish = Wish("csv", "in.csv", text=("a", "b"), text_column="t")
    assert "columns that cannot be in one object: 'a' and 'a.b'" in refusal(wish, b"a,t\n1,2\n")


@given(form=sampled_from(["jsonl", "csv", "text"]), text=binary(max_size=80), is_text=sampled_from([True, False]))
def test_no_bytes_give_anything_but_messages_or_our_errors(form: str, text: bytes, is_text: bool) -> None:
    wish = Wish(form, is_text=is_text, text=() if is_text else ("t",), text_column="t" if form == "csv" else "")  # type: ignore[arg-type]
    try:
        found = published(wish, text)
    except HeadraceError as error:
        assert error.mend  # noqa: PT017 - most texts give none
    else:
        assert all(isinstance(parcel, Parcel | None) for parcel in found)


# -- chunks


def reads(*pieces: bytes) -> Iterator[bytes]:
    yield from pieces
    yield b""


def test_what_is_there_is_given_before_more_is_waited_for() -> None:
    source = reads(b"1\n2\n", b"\n3\n\n", b"4")
    given_chunks = chunks(Lines(lambda: next(source)), Wish("jsonl"))
    assert [parcel.value for parcel in next(given_chunks)] == [b"1", b"2"]
    assert [parcel.value for parcel in next(given_chunks)] == [b"3"]
    assert [parcel.value for parcel in next(given_chunks)] == [b"4"]
    assert next(given_chunks, None) is None


@pytest.mark.provokes("HR433")
def test_what_came_before_a_bad_row_is_given_before_it_is_refused() -> None:
    source = reads(b"a,b\n1,2\n3\n")
    given_chunks = chunks(Lines(lambda: next(source)), Wish("csv"))
    assert next(given_chunks) == [Parcel(None, b'{"a":"1","b":"2"}')]
    with pytest.raises(HeadraceError, match="HR433"):
        next(given_chunks)
