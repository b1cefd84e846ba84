"""A small disk for a broker: a tmpfs that only the broker sees, and that can be filled and made larger. Needs root."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from headrace.streams.broker.folders import Folders
from tests.support.client import Client, until
from tests.support.node import Node

__all__ = ["fill", "small_disk"]

_MESSAGE = b"x" * 900_000


@contextmanager
def small_disk(home: Path, size: str) -> Iterator[tuple[tuple[str, ...], Callable[[str], None]]]:
    """Mount it at the data folder of the node of a state folder; it lasts as long as the context.

    Gives the words that a command begins with to see it, and what gives it another size.
    """
    data = Folders.of(home).data
    data.mkdir(parents=True)
    script = 'mount -t tmpfs -o size="$1" tmpfs "$2" && echo mounted && exec sleep infinity'
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", size, str(data)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "mounted\n"
        enter = (shutil.which("nsenter") or "nsenter", f"--mount=/proc/{holder.pid}/ns/mnt", "--")

        def resize(size: str) -> None:
            subprocess.run([*enter, "mount", "-o", f"remount,size={size}", str(data)], check=True)

        try:
            yield enter, resize
        finally:
            holder.kill()


def fill(client: Client, topic: str, node: Node) -> None:
    """Write to a topic until the node's disk is full and its process ends by that."""
    producer = client.producer(**{"message.timeout.ms": 5_000, "compression.type": "none"})

    def is_over() -> bool:
        for _ in range(10):
            producer.produce(topic, _MESSAGE)
        producer.flush(0.5)
        producer.purge()
        return not node.is_alive

    until("a broker that ends on a full disk", is_over, patience_s=90)
