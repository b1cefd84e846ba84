"""Where the files of one embedded broker lie."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

__all__ = ["Folders"]


class Folders(NamedTuple):
    """The folder `broker` of a state folder, and what is in it."""

    root: Path

    @classmethod
    def of(cls, home: Path) -> Folders:
        """Return the folders of the broker that belongs to a state folder."""
        return cls(home.absolute() / "broker")

    @property
    def data(self) -> Path:
        """Kafka's log.dirs: every topic, and the cluster's metadata."""
        return self.root / "data"

    @property
    def logs(self) -> Path:
        """What Kafka and its Java say."""
        return self.root / "logs"

    @property
    def console(self) -> Path:
        """What the Java process itself prints: rarely anything, until it cannot start or runs out of memory."""
        return self.logs / "console.log"

    @property
    def meta(self) -> Path:
        """Kafka's mark that the data folder is formatted, with the cluster's id."""
        return self.data / "meta.properties"

    @property
    def kafka_lock(self) -> Path:
        """Held by a running Kafka itself."""
        return self.data / ".lock"

    def cluster(self) -> str | None:
        """Return the id of the cluster that the data folder belongs to; None before it is formatted."""
        try:
            lines = self.meta.read_text(errors="replace").splitlines()
        except OSError:
            return None
        return next((line.partition("=")[2] for line in lines if line.startswith("cluster.id=")), None)

    @property
    def server(self) -> Path:
        """Kafka's settings, written anew at each start."""
        return self.root / "server.properties"

    @property
    def log4j(self) -> Path:
        """The settings of Kafka's log, written anew at each start."""
        return self.root / "log4j2.properties"

    @property
    def state(self) -> Path:
        """Which process runs, and where it listens."""
        return self.root / "state.json"

    @property
    def lock(self) -> Path:
        """Held by whoever starts or stops."""
        return self.root / "lock"
