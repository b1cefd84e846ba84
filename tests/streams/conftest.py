"""What tests of several folders use."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.client import Client
from tests.support.controlled import Controlled
from tests.support.planned import installed_and, planned
from tests.support.processes import Processes
from tests.support.site import faults

if TYPE_CHECKING:
    from headrace.streams.broker import Running


@pytest.fixture
def controlled(kafka: Running, topic: Callable[..., str], tmp_path: Path) -> Controlled:
    """A pipeline of the test's own that nobody runs."""
    return Controlled(Client(kafka.bootstrap), topic(), tmp_path / "pipeline.yaml").make()


CASCADE: Mapping[str, Any] = {
    "preprocess": ["fault"],
    "models": {"quick": {"echo": {"label": "q"}}, "expert": {"echo": {"label": "e"}}},
    "route": {"cascade": {"order": ["quick", "expert"], "accept": 0.9}},
}


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Callable[..., Processes]]:
    """Open all groups of a cascade, or of what the sections say."""
    catalog = installed_and(faults.headrace_register)
    with ExitStack() as closing:

        def start(**sections: Any) -> Processes:
            made = Processes(planned(tmp_path, catalog, **{**CASCADE, **sections}))
            closing.callback(made.closing.close)
            return made

        yield start
