"""Durations and sizes as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis.strategies import floats, integers, none, one_of, sampled_from, text
from pydantic import BaseModel, ValidationError

from headrace.core.config.units import Bytes, Milliseconds, parse_bytes, parse_milliseconds


class Both(BaseModel):
    wait: Milliseconds = 0
    size: Bytes = 1


@pytest.mark.parametrize(
    ("written", "ms"), [("100ms", 100), ("1.5s", 1500), ("2 m", 120_000), ("1h", 3_600_000), ("1d", 86_400_000), (0, 0)]
)
def test_a_duration_has_a_unit(written: object, ms: float) -> None:
    assert parse_milliseconds(written) == ms


@pytest.mark.parametrize(
    ("written", "size"), [(5, 5), ("5", 5), ("5B", 5), ("64KiB", 65_536), ("1.5 MiB", 1_572_864), ("2kB", 2000)]
)
def test_a_size_is_bytes_or_has_a_unit(written: object, size: int) -> None:
    assert parse_bytes(written) == size


@pytest.mark.parametrize("written", [100, "100", "5 parsecs", "-5s", "", "ms", None, True, False, [], "9" * 400 + "s"])
def test_what_is_no_duration_is_refused(written: object) -> None:
    with pytest.raises(ValueError, match="is not a duration; write it with a unit"):
        parse_milliseconds(written)


@pytest.mark.parametrize("written", ["much", "-5", "5 XiB", None, True, 1.5, "9" * 400 + "MiB"])
def test_what_is_no_size_is_refused(written: object) -> None:
    with pytest.raises(ValueError, match="is not a size; write bytes"):
        parse_bytes(written)


@given(one_of(text(), none(), floats(), integers(), sampled_from(["9e9s", "٣s", "1_0s", "1" * 19 + "d"])))
def test_whatever_is_written_is_a_number_or_refused(written: object) -> None:
    for field in ("wait", "size"):
        try:
            both = Both.model_validate({field: written})
        except ValidationError:
            continue
        assert int(both.wait) >= 0
        assert both.size >= 1
