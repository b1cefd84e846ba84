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
    if isinstance(error, HeadraceError):  # said already, by who knew more
        return error if isinstance(error, AccessDeniedError) else None
    found = (_missing(one, operation=operation, topic=topic, group=group) for one in causes(error))
    rule = next((one for one in found if one is not None), None)
    return None if rule is None else AccessDeniedError(connection.principal, *rule)


def _missing(error: BaseException, *, operation: str, topic: str, group: str) -> tuple[str, str, str] | None:
    """Return the operation, the kind of resource and its name that one error is about; None for any other."""
    from aiokafka.errors import (
        ClusterAuthorizationFailedError,
        GroupAuthorizationFailedError,
        TopicAuthorizationFailedError,
        TransactionalIdAuthorizationFailed,
    )

    if isinstance(error, TopicAuthorizationFailedError):
        tried = str(error.args[1]) if len(error.args) > 1 else operation
        return tried, "topic", topic or _named(error)
    if isinstance(error, GroupAuthorizationFailedError):
        return "Read", "group", group or _named(error)
    if isinstance(error, TransactionalIdAuthorizationFailed):
        return "Write", "transactional id", _named(error)
    if isinstance(error, ClusterAuthorizationFailedError):
        # An idempotent producer begins with asking the cluster; who may write to a topic may do that too (KIP-679).
        return (operation, "topic", topic) if operation == "Write" and topic else ("Create", "cluster", "")
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
