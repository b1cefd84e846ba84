"""What can be wrong with a command line and with the files it should write."""

from __future__ import annotations

from collections.abc import Iterable

from headrace.core.config.suggestion import suggest
from headrace.core.errors import ConfigError, MachineError

__all__ = [
    "UnknownCodeError",
    "UnknownGroupError",
    "UnknownMessageError",
    "WorkerNameError",
    "WouldOverwriteError",
    "WriteFailedError",
]


class WouldOverwriteError(ConfigError):
    """`headrace init` would overwrite a file.

    Nothing was written. Mend: choose another folder, or say --force if the files there may go.
    """

    code = "HR430"


class WriteFailedError(MachineError):
    """A file or folder that a command was asked to write cannot be written.

    The message has the system's reason. Mend: choose a folder that you may write, or free what stands in the way.
    """

    code = "HR431"


class UnknownGroupError(ConfigError):
    """The pipeline has no group of that name.

    `headrace plan` lists the groups: those under `groups:`, one for each part of a sharded model that no group names,
    and `main` for the rest. Mend: correct the name after --group.
    """

    code = "HR440"

    def __init__(self, name: str, known: Iterable[str]) -> None:
        names = list(known)
        super().__init__(f"the pipeline has no group {name!r}", mend=suggest(name, names, "groups"))


class WorkerNameError(ConfigError):
    """A worker cannot be called so.

    Its name becomes part of names in Kafka (client ids, ids of static members, keys of the control topic). Mend: up to
    100 letters, digits, '.', '_' and '-'.
    """

    code = "HR441"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name!r} cannot name a worker", mend="use up to 100 letters, digits, '.', '_' and '-', such as w1"
        )


class UnknownCodeError(ConfigError):
    """There is no error with that code.

    Mend: `headrace explain` without a code lists all of them. A plugin's codes are known only while it is installed.
    """

    code = "HR438"


class UnknownMessageError(ConfigError):
    """There is no kind of message with that name.

    Mend: `headrace schema message` without a name lists all of them; what publishers may write depends on the pipeline,
    so it is in `headrace schema asyncapi FILE`.
    """

    code = "HR607"
