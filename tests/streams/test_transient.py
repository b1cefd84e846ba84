"""Which errors may pass."""

from __future__ import annotations

from typing import Any

import pytest

from headrace.core.errors import BrokerError, ConfigError, MachineError, PluginError, RecordError, TransientError
from headrace.streams.transient import is_transient, retry_after_s


@pytest.mark.parametrize(
    "error",
    [
        TransientError("busy"),
        BrokerError("away"),
        MachineError("no memory"),
        ConnectionResetError(),
        TimeoutError(),
        OSError(28, "No space left on device"),
    ],
    ids=repr,
)
def test_what_lies_outside_the_record_may_pass(error: Exception) -> None:
    assert is_transient(error)


@pytest.mark.parametrize(
    "error",
    [
        RecordError("wrong"),
        PluginError("odd"),
        ConfigError("mistyped"),
        ValueError(),
        KeyError("label"),
        FileNotFoundError(),
        PermissionError(),
    ],
    ids=repr,
)
def test_what_is_the_same_every_time_does_not(error: Exception) -> None:
    assert not is_transient(error)


@pytest.mark.parametrize(
    ("asked", "seconds"), [(2, 2.0), (0.5, 0.5), (-1, 0.0), ("soon", 0.0), (float("nan"), 0.0), (1e9, 3600.0)]
)
def test_a_step_may_say_how_long_it_wants_to_be_left_alone(asked: Any, seconds: float) -> None:
    assert retry_after_s(TransientError("busy", retry_after_s=asked)) == seconds
    assert retry_after_s(ValueError()) == 0.0
