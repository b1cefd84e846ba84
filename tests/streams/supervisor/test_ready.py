"""A child tells that it is at work, once, and only to a supervisor."""

from __future__ import annotations

import os

import pytest

from headrace.streams.supervisor.ready import VARIABLE, tell_ready


def test_readiness_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    monkeypatch.setenv(VARIABLE, str(writer))
    tell_ready()
    tell_ready()
    with open(reader, "rb") as told:
        assert told.read() == b"\n", "the pipe is closed as well"


@pytest.mark.parametrize("number", ["", "-1", "no", "99999"])
def test_without_a_supervisor_nothing_happens(number: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, number)
    tell_ready()
