"""Settings as they lie on the control topic: the keys, the values, and what is forgiven in them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.core.wire.control import (
    SETTINGS,
    AliasMove,
    ExperimentPhase,
    ModelReady,
    ModelSwitch,
    PartitionFull,
    Setting,
    SettingFormError,
    Skip,
    StagePause,
    decode_setting,
    encode_setting,
    key_parts,
    setting_key,
)

names = st.from_regex(r"[a-z][a-z0-9-]{0,10}(\.[a-z0-9-]{1,10})?", fullmatch=True)
offsets = st.integers(0, 2**63 - 1)
texts = st.text(max_size=30)
settings = st.one_of(
    st.builds(AliasMove, version=texts),
    st.builds(ExperimentPhase, phase=st.integers(1, 10**6), fingerprint=texts),
    st.builds(Skip, first=offsets, until=offsets, why=texts),
    st.builds(PartitionFull, records=offsets),
    st.builds(ModelReady, ok=st.booleans(), why=texts),
    st.builds(
        ModelSwitch, ends=st.dictionaries(names, st.dictionaries(st.integers(0, 99), offsets, max_size=3), max_size=3)
    ),
)


def a_key(kind: type[Setting]) -> str:
    every = {"model", "alias", "version", "experiment", "stage", "instance", "plan", "record"}
    parts = {name: "a" for name in every if f"{{{name}}}" in kind.key}
    return setting_key(kind, **parts, **({"partition": 3} if "{partition}" in kind.key else {}))


@given(settings)
def test_a_setting_comes_back_as_it_was_written(setting: Setting) -> None:
    assert decode_setting(a_key(type(setting)), encode_setting(setting)) == setting


@pytest.mark.parametrize("kind", SETTINGS)
def test_each_kind_has_keys_of_its_own_and_describes_its_fields(kind: type[Setting]) -> None:
    assert [one for one in SETTINGS if key_parts(one, a_key(kind)) is not None] == [kind]
    assert [name for name, field in kind.model_fields.items() if not field.description] == []


def test_keys_and_values_are_those_of_the_contract() -> None:
    assert setting_key(ModelReady, model="reviews", version=2, stage="expert.1", instance="h-1") == (
        "ready/reviews@2/expert.1/h-1"
    )
    assert setting_key(AliasMove, model="reviews", alias="prod") == "alias/reviews@prod"
    assert json.loads(encode_setting(Skip(first=3, until=5, why="poison"))) == {
        "from": 3,
        "until": 5,
        "why": "poison",
        "time": "",
    }


@given(names, st.integers(0, 10**8))
def test_a_key_gives_its_parts_back(stage: str, partition: int) -> None:
    key = setting_key(Skip, stage=stage, partition=partition)
    assert key_parts(Skip, key) == {"stage": stage, "partition": str(partition)}


@pytest.mark.parametrize("parts", [{"stage": "a/b"}, {"stage": ""}])
def test_what_would_make_an_ambiguous_key_is_refused(parts: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="do not make a key"):
        setting_key(StagePause, **parts)


def test_fields_of_a_later_version_are_passed_over() -> None:
    assert decode_setting("paused/expert", b'{"why": "rest", "until_when": 7}') == StagePause(why="rest")
    assert decode_setting("alias/reviews@prod", b'{"version": 3}') == AliasMove(version="3")


@pytest.mark.parametrize("key", ["", "paused", "paused/a/b", "skip/expert/three", "moon/phase"])
def test_a_key_of_a_later_version_says_nothing(key: str) -> None:
    assert decode_setting(key, b"{}") is None


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("paused/expert", b"not json", "it is not JSON"),
        ("paused/expert", b"[]", "the value: "),
        ("paused/expert", b"\xff", "it is not JSON"),
        ("skip/expert/0", b'{"until": 3}', "from: Field required"),
        ("experiment/price", b'{"phase": 0, "fingerprint": ""}', "phase: "),
    ],
)
def test_a_damaged_value_is_named(key: str, value: bytes, told: str) -> None:
    with pytest.raises(SettingFormError, match=told):
        decode_setting(key, value)
