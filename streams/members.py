"""Which workers of a group are alive: the members of the consumer group that each of them is in."""

from __future__ import annotations

from headrace.streams.observer import Observer
from headrace.streams.status.workers import memberships

__all__ = ["instance_in", "live_instances"]

_PREFIX, _SUFFIX = "headrace-", "-faust"


async def live_instances(observer: Observer, app_id: str) -> frozenset[str]:
    """Return the instances of a group, by the client id of each worker's member in the group of its Faust app.

    Raises:
        BrokerUnreachableError: HR201.
    """
    pipeline = app_id.split(".", 1)[0]
    membership = (await memberships(await observer.client(), (app_id,))).get(app_id)
    members = membership.members if membership is not None else ()
    return frozenset(one for member in members if (one := instance_in(member.client_id, pipeline)) is not None)


def instance_in(client_id: str, pipeline: str) -> str | None:
    """Return the instance that a client id names; None when it is no worker's of this pipeline."""
    prefix = f"{_PREFIX}{pipeline}-"
    if client_id.startswith(prefix) and client_id.endswith(_SUFFIX):
        return client_id[len(prefix) : -len(_SUFFIX)]
    return None
