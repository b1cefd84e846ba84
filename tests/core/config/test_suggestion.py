"""Did you mean."""

from __future__ import annotations

from headrace.core.config.suggestion import suggest


def test_a_near_name_is_proposed() -> None:
    assert suggest("lexikon", ["onnx", "lexicon"]) == "did you mean 'lexicon'?"


def test_far_from_every_name_they_are_listed_in_order() -> None:
    assert suggest("xyz", ["onnx", "lexicon"], "installed") == "installed: lexicon, onnx"


def test_a_long_list_is_cut_and_counted() -> None:
    assert suggest("xyz", [f"name-{index:02}" for index in range(20)]).endswith("name-11 and 8 more")


def test_where_nothing_is_known_that_is_said() -> None:
    assert suggest("xyz", [], "installed") == "there are no installed names here"
