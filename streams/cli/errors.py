"""What can be wrong with a command line and with the files it should write."""

from __future__ import annotations

from headrace.core.errors import ConfigError, MachineError

__all__ = [
    "UnknownCodeError",
    "UnknownMessageError",
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
