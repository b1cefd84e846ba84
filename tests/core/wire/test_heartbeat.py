"""A sign of life: comes back as it was given, and a damaged one says nothing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headrace.core.wire.heartbeat import ALIVE_S, BEAT_S, Heartbeat, decode_heartbeat, encode_heartbeat

beats = st.builds(Heartbeat, ready=st.booleans(), why=st.text(), plan=st.text(), pid=st.integers(0, 2**22))


@given(beats)
def test_a_sign_of_life_comes_back_as_it_was_given(beat: Heartbeat) -> None:
    assert decode_heartbeat(encode_heartbeat(beat)) == beat


@given(st.binary(max_size=20) | st.none())
def test_anything_may_lie_on_the_topic(value: bytes | None) -> None:
    assert isinstance(decode_heartbeat(value), Heartbeat | None)


def test_fields_of_a_later_version_are_passed_over() -> None:
    assert decode_heartbeat(b'{"ready": true, "mood": "good"}') == Heartbeat(ready=True)


def test_a_worker_counts_as_gone_only_after_it_missed_several() -> None:
    assert ALIVE_S >= 3 * BEAT_S


def test_every_field_is_described() -> None:
    assert [name for name, field in Heartbeat.model_fields.items() if not field.description] == []
