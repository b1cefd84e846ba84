"""Settings are written, acknowledged and audited, or refused in one sentence."""

from __future__ import annotations

import getpass
import re

import pytest

from headrace.core.wire.audit import AuditEntry
from headrace.core.wire.control import SettingFormError, StagePause
from headrace.streams.access.connection import Connection
from headrace.streams.control import writer
from headrace.streams.control.errors import NeverRunError, SettingRefusedError
from headrace.streams.control.writer import author, now, read_settings, set_settings
from headrace.streams.errors import BrokerUnreachableError
from tests.support.controlled import Controlled

pytestmark = pytest.mark.broker


async def test_a_setting_is_in_force_and_audited(controlled: Controlled) -> None:
    pause = StagePause(why="rest", time=now())
    made = await set_settings(
        controlled.connection, controlled.pipeline, {"paused/expert": pause}, who="ann@desk", why="rest"
    )
    assert [(change.key, change.old, change.new) for change in made] == [("paused/expert", None, pause)]
    assert (await read_settings(controlled.connection, controlled.pipeline)).paused() == {"expert": "rest"}
    (seen,) = controlled.client.all(controlled.audit)
    entry = AuditEntry.model_validate(seen.body)
    assert seen.key == b"paused/expert"
    assert (entry.who, entry.key, entry.old, entry.why) == ("ann@desk", "paused/expert", None, "rest")
    assert entry.new == {"why": "rest", "time": pause.time}


async def test_taking_a_setting_away_says_what_it_was(controlled: Controlled) -> None:
    controlled.write(("paused/expert", b'{"why": "rest"}'), ("alias/reviews@prod", b'{"version": 1}'))
    changes = {"paused/expert": None, "alias/reviews@prod": {"version": 2}}
    await set_settings(controlled.connection, controlled.pipeline, changes, who="ann@desk")
    settings = await read_settings(controlled.connection, controlled.pipeline)
    assert (settings.paused(), settings.aliases()) == ({}, {"reviews@prod": "2"})
    first, second = (AuditEntry.model_validate(seen.body) for seen in controlled.client.all(controlled.audit))
    assert (first.old, first.new) == ({"why": "rest", "time": ""}, None)
    assert (second.old, second.new) == ({"version": "1", "before": ""}, {"version": "2", "before": ""})


async def test_nothing_is_written_when_one_value_is_wrong(controlled: Controlled) -> None:
    changes = {"paused/expert": {}, "skip/expert/0": {"from": -1}}
    with pytest.raises(SettingFormError, match="from"):
        await set_settings(controlled.connection, controlled.pipeline, changes, who="ann@desk")
    assert controlled.client.all(controlled.control) == []


@pytest.mark.provokes("HR218")
async def test_a_pipeline_that_never_ran_is_named_and_no_topic_is_made(controlled: Controlled) -> None:
    with pytest.raises(NeverRunError, match=r"there is no topic 'nobody\.control'"):
        await set_settings(controlled.connection, "nobody", {"paused/expert": {}}, who="ann@desk")
    assert controlled.client.partitions("nobody.control") == 0
    controlled.client.delete_topic(controlled.audit)
    with pytest.raises(NeverRunError, match=r"\.audit'"):
        await set_settings(controlled.connection, controlled.pipeline, {"paused/expert": {}}, who="ann@desk")
    assert controlled.client.all(controlled.control) == []


@pytest.mark.provokes("HR219")
async def test_a_broker_that_refuses_is_quoted(controlled: Controlled) -> None:
    name = f"{controlled.pipeline}-s"
    controlled.client.make_topic(f"{name}.control", cleanup_policy="compact", max_message_bytes="100")
    controlled.client.make_topic(f"{name}.audit")
    changes = {"paused/expert": {"why": "y" * 200}}
    with pytest.raises(SettingRefusedError, match="did not take 'paused/expert' into"):
        await set_settings(controlled.connection, name, changes, who="ann@desk")


@pytest.mark.provokes("HR201")
async def test_no_broker_is_one_clear_error() -> None:
    with pytest.raises(BrokerUnreachableError, match="no Kafka broker answers"):
        await set_settings(Connection("127.0.0.1:1"), "p", {}, who="ann@desk")


def test_the_author_is_who_sits_here(monkeypatch: pytest.MonkeyPatch) -> None:
    assert re.fullmatch(r"[^@]+@[^@]+", author())

    def nobody() -> str:
        raise KeyError("uid not found")

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert writer.author().startswith("unknown@")
