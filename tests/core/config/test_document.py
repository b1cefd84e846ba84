"""A pipeline file as values with places."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from headrace.core.config.document import Document, read_document
from headrace.core.errors import HeadraceError, Place


def read(tmp_path: Path, text: str | bytes, environ: Mapping[str, str] | None = None) -> Document:
    file = tmp_path / "p.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    return read_document(file, environ or {})


def refusal(tmp_path: Path, text: str | bytes) -> HeadraceError:
    with pytest.raises(HeadraceError) as caught:
        read(tmp_path, text)
    return caught.value


def problem_lines(document: Document) -> list[str]:
    return [f"{p.place and p.place[1:]} {p.code} {p.fault}" for p in document.problems]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("12", 12),
        ("012", 12),
        ("0x1F", 31),
        ("0o17", 15),
        ("1e3", 1000.0),
        (".inf", float("inf")),
        ("1:30", "1:30"),
        ("2026-11-23", "2026-11-23"),
        ("'12'", "12"),
        ("1.2.3", "1.2.3"),
        ("100ms", "100ms"),
    ],
)
def test_scalars_mean_what_yaml_1_2_says(tmp_path: Path, written: str, value: object) -> None:
    document = read(tmp_path, f"a: {written}\n")
    assert document.value == {"a": value}
    assert not document.problems


def test_every_key_and_value_knows_its_line_and_column(tmp_path: Path) -> None:
    document = read(tmp_path, "a:\n  - one\n  - {b: 2}\n")
    assert document.key_place(("a",))[1:] == (1, 1)
    assert document.place(("a", 0))[1:] == (2, 5)
    assert document.key_place(("a", 1, "b"))[1:] == (3, 6)
    assert document.place(("a", 1, "b"))[1:] == (3, 9)


def test_what_is_not_there_lies_at_the_nearest_thing_around_it(tmp_path: Path) -> None:
    document = read(tmp_path, "a:\n  b: 1\n")
    assert document.place(("a", "c", "d"))[1:] == (2, 3)
    assert read(tmp_path, "").place(("a",)) == Place(str(tmp_path / "p.yaml"), 1, 1)


def test_find_gives_the_first_place_of_a_value_below_a_path(tmp_path: Path) -> None:
    document = read(tmp_path, "a: x\nb:\n  c: [y, x]\n")
    found = document.find("x", ("b",))
    assert found is not None
    assert found[1:] == (3, 10)
    assert document.find("z", ()) is None


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(tmp_path: Path) -> None:
    document = read(tmp_path, b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")
    assert document.value == {"a": 1, "b": 2}
    assert document.key_place(("b",))[1:] == (2, 1)


def test_an_alias_is_the_value_of_its_anchor_and_stands_where_that_stands(tmp_path: Path) -> None:
    document = read(tmp_path, "a: &x {k: 1}\nb: *x\n")
    assert document.value == {"a": {"k": 1}, "b": {"k": 1}}
    assert document.place(("b", "k"))[1:] == (1, 11)


def test_an_anchor_may_be_set_again_without_a_warning(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    assert read(tmp_path, "a: &x 1\nb: &x 2\nc: *x\n").value["c"] == 2
    assert not recwarn.list


@pytest.mark.provokes("HR101")
@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a: [1, 2\nb: 3\n", (2, 2)),
        ("a: 1\n\tb: 2\n", (2, 1)),
        ("a: {b: ${C}}\n", (1, 9)),
        ("a: 'open\n", (2, 1)),
        ("a: 1\n---\nb: 2\n", (2, 1)),
        ("a: *nothing\n", (1, 4)),
        ("a: \x00\n", (1, 1)),
        ("- " * 3000 + "a", (1, 1)),
    ],
)
def test_what_is_not_yaml_is_refused_where_the_parser_gave_up(
    tmp_path: Path, text: str, place: tuple[int, int]
) -> None:
    error = refusal(tmp_path, text)
    assert (error.code, error.place and error.place[1:]) == ("HR101", place)
    assert "\n" not in str(error)
    assert error.mend


@pytest.mark.provokes("HR102")
def test_a_key_that_stands_twice_is_refused_with_both_lines(tmp_path: Path) -> None:
    document = read(tmp_path, "a: 1\nb: 2\na: 3\n")
    assert problem_lines(document) == ["(3, 1) HR102 key 'a' stands here and on line 1"]


@pytest.mark.provokes("HR103")
def test_a_file_that_cannot_be_read_is_named_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(HeadraceError, match=r"^HR103 cannot read '.*/none\.yaml': No such file or directory; check"):
        read_document(tmp_path / "none.yaml", {})
    with pytest.raises(HeadraceError, match=r"^HR103 cannot read '.*': Is a directory; "):
        read_document(tmp_path, {})


@pytest.mark.provokes("HR103")
def test_a_file_that_is_not_utf8_is_refused_at_its_byte(tmp_path: Path) -> None:
    error = refusal(tmp_path, b"a: \xff\n")
    assert (error.code, "at byte 3" in error.fault) == ("HR103", True)


@pytest.mark.provokes("HR103")
def test_a_file_too_large_to_be_a_pipeline_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    assert refusal(tmp_path, b"{}\n" * 400_000).code == "HR103"
    with pytest.raises(HeadraceError, match="HR103"):
        read_document(Path("/dev/zero"), {})


def test_a_variable_is_read_from_the_environment_wherever_text_stands(tmp_path: Path) -> None:
    document = read(tmp_path, 'a: "${HOST}:${PORT}"\nb: plain ${HOST}\n', {"HOST": "kafka", "PORT": "9092"})
    assert document.value == {"a": "kafka:9092", "b": "plain kafka"}


def test_a_doubled_dollar_keeps_the_text_itself(tmp_path: Path) -> None:
    document = read(tmp_path, 'a: "$${HOST}"\n')
    assert document.value == {"a": "${HOST}"}
    assert not document.problems


@pytest.mark.provokes("HR109")
def test_each_unset_variable_is_named_at_its_value(tmp_path: Path) -> None:
    document = read(tmp_path, 'x: 1\na: "${ONE}${TWO}"\n')
    assert problem_lines(document) == [
        "(2, 4) HR109 environment variable ONE is not set",
        "(2, 4) HR109 environment variable TWO is not set",
    ]


@pytest.mark.provokes("HR106")
@pytest.mark.parametrize("tag", ["!foo", "!!binary", "!!python/object:os.system", "!!set"])
@pytest.mark.parametrize("value", ["x", "{x: 1}", "[x]"])
def test_a_tag_is_refused_rather_than_guessed(tmp_path: Path, tag: str, value: str) -> None:
    assert problem_lines(read(tmp_path, f"a: {tag} {value}\n")) == [f"(1, 4) HR106 tag {tag!r} is not read here"]


@pytest.mark.provokes("HR106")
def test_an_alias_inside_its_own_value_is_refused_not_followed(tmp_path: Path) -> None:
    lines = problem_lines(read(tmp_path, "a: &x\n  b: [*x, *x]\n"))
    assert set(lines) == {"(1, 4) HR106 an alias stands inside the value that it means"}


@pytest.mark.provokes("HR106")
def test_aliases_of_aliases_that_grow_without_bound_are_refused(tmp_path: Path) -> None:
    bomb = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
        f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 8)}]\n" for level in range(1, 12)
    )
    lines = problem_lines(read(tmp_path, bomb))
    assert len(lines) == 1
    assert lines[0].endswith("HR106 the file holds more than 50,000 values")


@pytest.mark.provokes("HR106")
def test_what_is_nested_too_deeply_is_refused(tmp_path: Path) -> None:
    lines = problem_lines(read(tmp_path, f"a: {'[' * 60}{']' * 60}\n"))
    assert lines == ["(1, 44) HR106 nested too deeply"]
