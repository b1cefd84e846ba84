"""Change settings of a running pipeline, and write down who did it and why."""

from __future__ import annotations

import asyncio
import getpass
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple

from headrace.core.control import Settings
from headrace.core.wire.audit import AuditEntry, encode_entry
from headrace.core.wire.control import Setting, encode_setting
from headrace.streams.access.admin import admin
from headrace.streams.access.connection import Connection
from headrace.streams.access.denial import denials
from headrace.streams.access.refusal import why_unreachable
from headrace.streams.control.errors import NeverRunError, SettingRefusedError
from headrace.streams.control.reader import ControlReader
from headrace.streams.errors import BrokerUnreachableError
from headrace.streams.topic_facts import describe

__all__ = ["Change", "author", "now", "read_settings", "set_settings"]

ANSWER_S = 20.0
CLOSE_S = 2.0

Value = Setting | Mapping[str, Any] | None


class Change(NamedTuple):
    """A setting as it was and as it is now; None where it is not set."""

    key: str
    old: Setting | None
    new: Setting | None


def author() -> str:
    """Return who is at the keyboard: user@host."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a container's user may have no name
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


def now() -> str:
    """Return the time as settings and entries have it: UTC, ISO 8601, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def read_settings(connection: Connection, pipeline: str) -> Settings:
    """Return the settings that are in force.

    Raises:
        BrokerUnreachableError: HR201, nobody answers there.
        NeverRunError: HR218, the pipeline has no control topic there.
    """
    topic = f"{pipeline}.control"
    async with admin(connection) as client:
        if topic not in await describe(client, [topic]):  # asking for it as a consumer might make it
            raise NeverRunError(topic, connection)
    async with ControlReader(connection, pipeline) as reader:
        return await reader.read_whole()


async def set_settings(
    connection: Connection, pipeline: str, changes: Mapping[str, Value], *, who: str, why: str = ""
) -> tuple[Change, ...]:
    """Write settings in the order given, and one entry each into the audit; return what was changed.

    It returns when the broker has all of it. Workers follow within a second.

    Args:
        connection: the broker's address.
        pipeline: the pipeline's name.
        changes: key -> value; None takes the setting away.
        who: `author()`, or the name of the worker that does it by itself.
        why: in a person's words.

    Raises:
        SettingFormError: a value is not what its key promises; nothing was written.
        BrokerUnreachableError: HR201, nobody answers there.
        NeverRunError: HR218, the pipeline has no control or no audit topic there.
        SettingRefusedError: HR219, the broker does not take it.
        AccessDeniedError: HR243, it does not let us.
    """
    before = await read_settings(connection, pipeline)
    after = before
    for key, value in changes.items():
        after = after.with_change(key, value)
    made = tuple(Change(key, before.value(key), after.value(key)) for key in changes)
    control, audit = f"{pipeline}.control", f"{pipeline}.audit"
    async with admin(connection) as client:
        if audit not in await describe(client, [audit]):
            raise NeverRunError(audit, connection)
    async with _producing(connection) as producer:
        for change in made:
            with denials(connection, operation="Write"):
                setting = None if change.new is None else encode_setting(change.new)
                await _send(producer, control, change.key, setting)
        for change in made:
            with denials(connection, operation="Write"):
                await _send(producer, audit, change.key, encode_entry(_entry(change, who, why)))
    return made


def _entry(change: Change, who: str, why: str) -> AuditEntry:
    return AuditEntry(who=who, key=change.key, old=_plain(change.old), new=_plain(change.new), time=now(), why=why)


def _plain(setting: Setting | None) -> dict[str, Any] | None:
    return None if setting is None else setting.model_dump(by_alias=True, mode="json")


async def _send(producer: Any, topic: str, key: str, value: bytes | None) -> None:
    from aiokafka.errors import (
        KafkaConnectionError,
        KafkaError,
        KafkaTimeoutError,
        TopicAuthorizationFailedError,
    )

    try:
        async with asyncio.timeout(ANSWER_S):  # wait_for may swallow the Ctrl-C that comes with the answer
            await producer.send_and_wait(topic, value, key=key.encode())
    except (KafkaConnectionError, KafkaTimeoutError, TimeoutError) as error:
        raise BrokerUnreachableError(
            f"the broker did not acknowledge {key!r} ({type(error).__name__})",
            mend="see whether it is in force with `headrace status`, then try again",
        ) from None
    except TopicAuthorizationFailedError:
        raise
    except KafkaError as error:
        raise SettingRefusedError(
            f"the broker did not take {key!r} into {topic}: {error}", mend="ask whoever runs the cluster"
        ) from None


@asynccontextmanager
async def _producing(connection: Connection) -> AsyncIterator[Any]:
    from aiokafka import AIOKafkaProducer
    from aiokafka.errors import KafkaError

    producer = AIOKafkaProducer(**connection.options, client_id="headrace-control", acks="all")
    try:
        await producer.start()
    except (KafkaError, OSError, ValueError) as error:
        await producer.stop()
        raise await why_unreachable(connection, error) from None
    try:
        yield producer
    finally:
        with suppress(TimeoutError):
            await asyncio.wait_for(producer.stop(), CLOSE_S)
