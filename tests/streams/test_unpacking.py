"""How much a compressed batch of messages may unpack to, whichever codec it has."""

from __future__ import annotations

import gzip
from collections.abc import Iterable

import aiokafka.codec as codecs
import pytest
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from hypothesis import given, settings
from hypothesis.strategies import binary, lists, sampled_from

from headrace.streams.unpacking import BeyondLimitError, at_most, guard

CODECS = {"gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}


def packed(codec: str, values: Iterable[bytes]) -> bytes:
    builder = DefaultRecordBatchBuilder(2, CODECS[codec], 0, -1, -1, -1, 1 << 30)
    for at, value in enumerate(values):
        assert builder.append(at, 0, None, value, []) is not None
    return bytes(builder.build())


@pytest.fixture(autouse=True)
def guarded() -> None:
    guard()


@given(codec=sampled_from([*CODECS]), values=lists(binary(max_size=300), min_size=1, max_size=20))
@settings(deadline=None)
def test_what_fits_unpacks_to_what_was_packed(codec: str, values: list[bytes]) -> None:
    with at_most(1 << 20):
        assert [record.value for record in DefaultRecordBatch(packed(codec, values))] == values


@pytest.mark.parametrize("codec", CODECS)
def test_what_does_not_fit_is_given_up_and_without_a_limit_it_is_read_as_ever(codec: str) -> None:
    batch = packed(codec, [b"0" * 700_000] * 3)
    with at_most(2_000_000), pytest.raises(BeyondLimitError):
        iter(DefaultRecordBatch(batch))
    with at_most(2_200_000):
        assert len([*DefaultRecordBatch(batch)]) == 3
    assert len([*DefaultRecordBatch(batch)]) == 3


def test_a_gzip_batch_of_several_members_is_bounded_as_a_whole() -> None:
    from aiokafka.record import default_records

    members = gzip.compress(b"1" * 1000) + gzip.compress(b"2" * 1000)
    with at_most(2000):
        assert default_records.gzip_decode(members) == b"1" * 1000 + b"2" * 1000
    with at_most(1999), pytest.raises(BeyondLimitError):
        default_records.gzip_decode(members)


def test_snappy_is_bounded_with_and_without_the_blocks_of_java() -> None:
    from aiokafka.record import default_records

    for is_java in (True, False):
        data = codecs.snappy_encode(b"3" * 100_000, xerial_compatible=is_java)
        with at_most(100_000):
            assert default_records.snappy_decode(data) == b"3" * 100_000
        with at_most(99_999), pytest.raises(BeyondLimitError):
            default_records.snappy_decode(data)
