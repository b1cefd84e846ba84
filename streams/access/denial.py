"""What a broker does not allow: from aiokafka's errors to one that names the principal and the rule that is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from headrace.core.errors import HeadraceError
from headrace.streams.access.connection import Connection
from headrace.streams.access.errors import AccessDeniedError
from headrace.streams.access.refusal import causes

__all__ = ["denial", "denials"]


def denial(
    error: BaseException, connection: Connection, *, operation: str = "Read", topic: str = "", group: str = ""
) -> AccessDeniedError | None:
    """Return what an error says of rights; None when it is about something else.

    Args:
        error: what aiokafka raised, or we in its name: then the operation follows the topic's name.
        connection: whose rights these are.
        operation: what was tried with a topic.
        topic: which one, if the error does not tell.
        group: the consumer group, if the error does not tell.
    """
    from aiokafka.errors import (
        ClusterAuthorizationFailedError,
        GroupAuthorizationFailedError,
        TopicAuthorizationFailedError,
        TransactionalIdAuthorizationFailed,
    )

    if isinstance(error, HeadraceError):  # said already, by who knew more
        return error if isinstance(error, AccessDeniedError) else None
    who = connection.principal
    for one in causes(error):
        if isinstance(one, TopicAuthorizationFailedError):
            tried = str(one.args[1]) if len(one.args) > 1 else operation
            return AccessDeniedError(who, tried, "topic", topic or _named(one))
        if isinstance(one, GroupAuthorizationFailedError):
            return AccessDeniedError(who, "Read", "group", group or _named(one))
        if isinstance(one, TransactionalIdAuthorizationFailed):
            return AccessDeniedError(who, "Write", "transactional id", _named(one))
        if isinstance(one, ClusterAuthorizationFailedError):
            if operation == "Write" and topic:  # an idempotent producer begins with asking the cluster (KIP-679)
                return AccessDeniedError(who, operation, "topic", topic)
            return AccessDeniedError(who, "Create", "cluster")
    return None


@contextmanager
def denials(connection: Connection, *, operation: str = "Read", topic: str = "", group: str = "") -> Iterator[None]:
    """Raise what `denial` finds in an error that passes here; any other passes on.

    Raises:
        AccessDeniedError: HR243.
    """
    try:
        yield
    except Exception as error:
        found = denial(error, connection, operation=operation, topic=topic, group=group)
        if found is None:
            raise
        raise found from None


def _named(error: BaseException) -> str:
    """Return the names that aiokafka put into an error: one, or a set of them."""
    said = error.args[0] if error.args else ""
    if isinstance(said, set | frozenset | list | tuple):
        return ", ".join(sorted(map(str, said)))
    return str(said).rpartition(" ")[2]  # "Unable to get coordinator id for NAME"
