"""The tree of errors: a branch says who can mend it, a leaf is the fact, every leaf has a code.

The leaves live beside their subject, in modules named `errors`; `headrace explain CODE` prints a leaf's docstring.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

__all__ = [
    "BrokenPluginError",
    "BrokerError",
    "ConfigError",
    "DuplicateStepError",
    "HeadraceError",
    "MachineError",
    "ModelOutputError",
    "Place",
    "PluginError",
    "ProblemsError",
    "RecordError",
    "StepContractError",
    "StepOpenError",
    "TransientError",
]


class Place(NamedTuple):
    """A position in a file that a person can open: 1-based line and column."""

    file: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class HeadraceError(Exception):
    """Any error that Headrace raises on purpose: what is wrong, how to mend it, and where."""

    code: ClassVar[str] = ""

    def __init__(self, fault: str, *, mend: str = "", place: Place | None = None) -> None:
        super().__init__(fault)
        self.fault, self.mend, self.place = fault, mend, place

    def __str__(self) -> str:
        where = f"{self.place} " if self.place else ""
        code = f"{self.code} " if self.code else ""
        mend = f"; {self.mend}" if self.mend else ""
        return f"{where}{code}{self.fault}{mend}"


class ConfigError(HeadraceError):
    """The writer of a pipeline file, or of a command line, can mend it."""


class PluginError(HeadraceError):
    """The author of a plugin can mend it."""


class BrokerError(HeadraceError):
    """The operator of the Kafka broker can mend it."""


class MachineError(HeadraceError):
    """Whoever looks after this machine can mend it: Java, ports, folders, disks."""


class RecordError(HeadraceError):
    """The publisher of a record can mend it: the record becomes a dead letter, the stream goes on.

    The same record fails the same way every time, so it is never retried.
    """


class TransientError(HeadraceError):
    """Whoever runs what a step needs can mend it: that is away or overloaded for the moment, and may pass by itself.

    The record is tried again after a pause, and with `delivery: {slow: pause}` for as long as `delivery.patience` says.

    Args:
        fault: what is wrong.
        mend: who could do what about it.
        retry_after_s: seconds that the step asks to be left alone; 0 for the usual pause.
    """

    def __init__(self, fault: str, *, mend: str = "", retry_after_s: float = 0.0) -> None:
        super().__init__(fault, mend=mend)
        self.retry_after_s = retry_after_s


class ProblemsError(HeadraceError):
    """Everything wrong with one file, reported at once; each problem keeps its own place, code and mend."""

    def __init__(self, problems: Sequence[HeadraceError]) -> None:
        super().__init__(f"{len(problems)} problem{'s' if len(problems) != 1 else ''}")
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


# -- plugins: beside catalog.py and step.py


class BrokenPluginError(PluginError):
    """A plugin that the pipeline uses could not be imported or registered.

    The entry point is named with the error it raised. Other plugins still work; a broken one that no pipeline
    uses is skipped. Mend: reinstall or update the distribution, or remove the step from the file.
    """

    code = "HR601"


class DuplicateStepError(PluginError):
    """Two plugins registered a step of the same kind and name.

    Nobody could say which one a pipeline means, so neither is taken. Mend: uninstall one of the distributions
    that the message names, or ask one of the authors to rename the step.
    """

    code = "HR602"


class StepContractError(PluginError):
    """A step did not keep its side: it must return exactly one item for each record, in the same order.

    The batch is treated as failed: its records are retried and then become dead letters, nothing is guessed.
    Mend: the plugin's author returns one record (or output, or decision) for each one given; a step that wants
    to drop a record returns `record.filtered(reason)`.
    """

    code = "HR603"


class StepOpenError(PluginError):
    """A step failed while it loaded, before the first record.

    The worker stops, since every record would fail. Mend: the message carries the plugin's own error; correct
    the step's options, or update the plugin.
    """

    code = "HR604"


class ModelOutputError(PluginError):
    """A model returned something that is not a JSON object of plain values.

    Mend: the plugin's author returns a dict of str, int, float, bool, None, lists and dicts for each record.
    """

    code = "HR605"
