"""A control topic of the test's own on the real Kafka."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.support.client import Client

if TYPE_CHECKING:
    from headrace.streams.broker import Running


class Controlled(NamedTuple):
    """A pipeline's control and audit topics, and a stranger's client for them."""

    client: Client
    pipeline: str

    @property
    def control(self) -> str:
        return f"{self.pipeline}.control"

    @property
    def audit(self) -> str:
        return f"{self.pipeline}.audit"

    @property
    def bootstrap(self) -> str:
        return self.client.bootstrap

    def write(self, *pairs: tuple[str, bytes | None]) -> None:
        """Write records as any client may."""
        self.client.publish(self.control, *({"key": key, "value": value} for key, value in pairs))


@pytest.fixture
def controlled(kafka: Running, topic: Callable[..., str]) -> Controlled:
    made = Controlled(Client(kafka.bootstrap), topic())
    made.client.make_topic(made.control, cleanup_policy="compact")
    made.client.make_topic(made.audit)
    return made
