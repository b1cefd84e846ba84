"""W3C trace context: which values are one, and that ours always are."""

from __future__ import annotations

import pytest
from hypothesis import given

from headrace.core.wire.trace import is_traceparent, new_traceparent
from tests.support.made import texts

GOOD = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_the_example_of_the_specification_is_one() -> None:
    assert is_traceparent(GOOD)


@pytest.mark.parametrize("later", [b"01" + GOOD[2:], b"cc" + GOOD[2:] + b"-more", b"01" + GOOD[2:] + b"-"])
def test_a_later_version_may_have_more_behind_the_flags(later: bytes) -> None:
    assert is_traceparent(later)


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"ff" + GOOD[2:],
        GOOD.upper(),
        GOOD + b"-more",
        GOOD + b"x",
        GOOD[:-1],
        GOOD.replace(b"-", b"_"),
        b"00-" + b"0" * 32 + GOOD[35:],
        GOOD[:36] + b"0" * 16 + GOOD[52:],
        GOOD + b"\n",
    ],
)
def test_what_the_specification_refuses_is_refused(broken: bytes) -> None:
    assert not is_traceparent(broken)


@given(texts)
def test_a_new_trace_is_valid_and_the_same_for_the_same_record(id: str) -> None:
    assert is_traceparent(new_traceparent(id))
    assert new_traceparent(id) == new_traceparent(id)


def test_two_records_have_two_traces() -> None:
    assert new_traceparent("reviews:0:1") != new_traceparent("reviews:0:2")
