"""How a model is named."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.core.registry.errors import InvalidNameError, ModelReferenceError
from headrace.core.registry.reference import Reference, check_alias, check_name, parse_reference

BAD = ("0", "01", "-1", "1.5", "1@2", "prod/..", "1\n", "9999999999", "Prod", " 1")
NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,39}", fullmatch=True)


@given(name=NAMES, version=st.integers(1, 999_999_999))
def test_a_version_reads_back_as_it_was_written(name: str, version: int) -> None:
    reference = parse_reference(f"{name}@{version}")
    assert (reference.name, reference.version) == (name, version)
    assert str(reference) == f"{name}@{version}"


@given(name=NAMES, alias=NAMES)
def test_an_alias_is_no_version(name: str, alias: str) -> None:
    assert parse_reference(f"{name}@{alias}") == Reference(name, alias)
    assert parse_reference(f"{name}@{alias}").version is None


def test_a_bare_name_is_read_so_that_the_registry_can_list_what_there_is() -> None:
    assert parse_reference("reviews") == Reference("reviews", "")
    assert str(parse_reference("reviews")) == "reviews"


@pytest.mark.provokes("HR301")
@pytest.mark.parametrize("name", ["", "Reviews", "a b", "../x", "é", "a" * 41, "reviews@1", "-a", "1"])
@pytest.mark.parametrize("wanted", ["1", "prod"])
def test_a_reference_to_no_possible_name_is_refused(name: str, wanted: str) -> None:
    with pytest.raises(ModelReferenceError, match="is not a reference to a model"):
        parse_reference(f"{name}@{wanted}")


@pytest.mark.provokes("HR301")
@pytest.mark.parametrize("text", ["", "@", "reviews@", *(f"reviews@{bad}" for bad in BAD)])
def test_what_no_registry_could_answer_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ModelReferenceError) as caught:
        parse_reference(text)
    assert "reviews@1" in caught.value.mend
    assert repr(text) in caught.value.fault


@given(text=st.text(max_size=60))
def test_a_reference_is_read_or_refused_and_never_leaves_its_folder(text: str) -> None:
    try:
        reference = parse_reference(text)
    except ModelReferenceError:
        return
    assert not set("/\\. \n\0").intersection(str(reference))


@pytest.mark.provokes("HR308")
@pytest.mark.parametrize("name", ["", "Reviews", "2reviews", "a/b", "..", "a" * 41, "reviews@1", "reviews\n"])
def test_a_name_that_no_reference_could_hold_is_refused(name: str) -> None:
    with pytest.raises(InvalidNameError, match="cannot name a model"):
        check_name(name)


@pytest.mark.provokes("HR308")
@pytest.mark.parametrize("alias", ["", "v2", "v10", "Prod", "1", "a/b", "prod\n"])
def test_an_alias_that_looks_like_a_version_is_refused(alias: str) -> None:
    with pytest.raises(InvalidNameError, match="cannot be an alias"):
        check_alias(alias)


@given(alias=NAMES.filter(lambda name: not (name[0] == "v" and name[1:].isdigit())))
def test_any_other_name_can_be_an_alias(alias: str) -> None:
    check_name(alias)
    check_alias(alias)
