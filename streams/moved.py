"""Which aliases were moved while the pipeline ran: they go before the registry's when it starts again."""

from __future__ import annotations

import asyncio

from headrace.streams.access.connection import Connection
from headrace.streams.control.errors import NeverRunError
from headrace.streams.control.writer import read_settings

__all__ = ["moved_aliases"]


def moved_aliases(connection: Connection, pipeline: str) -> dict[str, int]:
    """Return the version of each moved alias, by `model@alias`; none when the pipeline never ran.

    While an alias is on its way it is the version before: a worker that begins then gets ready for the new one beside
    it, as all others do, and must not route to what the others may not have yet.

    Raises:
        BrokerUnreachableError: HR201.
    """
    try:
        settings = asyncio.run(read_settings(connection, pipeline))
    except NeverRunError:
        return {}
    return {reference: int(version) for reference, version in settings.agreed_aliases().items() if version.isdigit()}
