"""Looks before the start whether we may do what will have to be done: later it may be an hour until it shows.

Faust would wait for a group or a topic for ever; a join's state is read when a worker is started again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from headrace.core.plan.access import Rule
from headrace.streams.access.connection import Connection
from headrace.streams.access.denial import denial
from headrace.streams.access.errors import AccessDeniedError
from headrace.streams.access.rights import READ, WRITE, group_rights, topic_rights

__all__ = ["refuse_denied"]

_BITS = {"Read": READ, "Write": WRITE}
"""Operations without which records could not go on. Without others links grow, and a warning says so."""


async def refuse_denied(connection: Connection, client: Any, groups: Iterable[str], rules: Sequence[Rule]) -> None:
    """Refuse a start that would end in silence, or some time later.

    Args:
        connection: whose rights these are.
        client: aiokafka's admin client.
        groups: the consumer groups that the worker will join.
        rules: what it needs; those on single topics are looked at.

    Raises:
        AccessDeniedError: HR243, it may not join a group, or not read or write a topic.
    """
    from aiokafka.errors import KafkaError

    try:
        for group in groups:
            allowed = await group_rights(client, group)
            if allowed is not None and not allowed & READ:
                raise AccessDeniedError(connection.principal, "Read", "group", group)
        await _refuse_topics(
            connection, client, [rule for rule in rules if rule.resource == "topic" and not rule.is_prefix]
        )
    except KafkaError as error:
        if (denied := denial(error, connection)) is not None:
            raise denied from None  # any other fault passes, or shows itself later


async def _refuse_topics(connection: Connection, client: Any, rules: Sequence[Rule]) -> None:
    allowed = await topic_rights(client, [rule.name for rule in rules])
    for rule in rules:
        for operation in rule.operations:
            bit = _BITS.get(operation)
            if bit is not None and not allowed.get(rule.name, bit) & bit:
                raise AccessDeniedError(connection.principal, operation, "topic", rule.name)
