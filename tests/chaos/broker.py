"""A Kafka for a run alone, with two doors: one for the checker, and one behind a network that can be cut."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.conftest import stopped_at_last
from tests.support.client import until
from tests.support.disk import small_disk
from tests.support.node import Node
from tests.support.proxy import Proxy, proxied_settings

__all__ = ["Broker", "own_broker"]

DISK = "6g"  # of memory, only as far as it is used: the topics of 50,000 records take 300 MB
_FILL = 'cat /dev/zero > "$1/filler" 2> /dev/null; true'


class Broker:
    """A running Kafka, the network in front of it, and ways to end it.

    Attributes:
        bootstrap: the door that no fault closes but the broker's own end; for the checker.
        network: what the workers go through.
    """

    def __init__(self, node: Node, network: Proxy, enter: Sequence[str]) -> None:
        self._node, self.network, self._enter = node, network, enter
        self.bootstrap = node.bootstrap

    @property
    def wired(self) -> str:
        """The address that the workers are given."""
        return self.network.bootstrap

    def kill(self) -> None:
        """SIGKILL; returns when it is gone."""
        self._node.kill()

    def restart(self) -> None:
        """Start it again on its port; returns when it serves clients."""
        self._node.start()

    def fill_disk(self) -> None:
        """Leave no room on its disk; returns when Kafka has ended by that."""
        data = str(self._node.folders.data)
        subprocess.run([*self._enter, "sh", "-c", _FILL, "sh", data], check=True)
        until("the end of a broker whose disk is full", lambda: not self._node.is_alive, patience_s=120)

    def free_disk(self) -> None:
        """Give it room again, and start it."""
        subprocess.run([*self._enter, "rm", str(self._node.folders.data / "filler")], check=True)
        self.restart()


@contextmanager
def own_broker(home: Path, *, has_disk: bool) -> Iterator[Broker]:
    """Start a broker behind a network; both end with the context, the broker also when this process is killed.

    Args:
        home: its state folder.
        has_disk: whether it has a disk of its own, which can be filled: needs root.
    """
    with ExitStack() as stack:
        enter = stack.enter_context(small_disk(home, DISK))[0] if has_disk else ()
        network = stack.enter_context(Proxy())
        stack.enter_context(stopped_at_last(home))
        node = Node(home, proxied_settings(network.target_port, network.port), prefix=enter)
        yield Broker(node.start(), network, enter)
