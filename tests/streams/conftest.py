"""What tests of several folders use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.client import Client
from tests.support.controlled import Controlled

if TYPE_CHECKING:
    from headrace.streams.broker import Running


@pytest.fixture
def controlled(kafka: Running, topic: Callable[..., str], tmp_path: Path) -> Controlled:
    """A pipeline of the test's own that nobody runs."""
    return Controlled(Client(kafka.bootstrap), topic(), tmp_path / "pipeline.yaml").make()
