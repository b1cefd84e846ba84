"""Why a record could not become a result: what its dead letter says, and what a join is told of a failed branch."""

from __future__ import annotations

import msgspec

__all__ = ["Failure"]


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """Why a record ended as a dead letter.

    `stage` and `plugin` say where, `attempt` after how many tries, `output` for which output when others were
    delivered. `stacktrace` is empty for records that are themselves wrong: it would only show our own code.
    `is_transient` says that the same record may pass later, where it failed; it stays in the process, but for records
    that can wait for it in a topic. `waits` says that this one does so, and is no dead letter.
    """

    code: str
    error: str
    kind: str
    message: str
    stage: str
    plugin: str
    attempt: int = 1
    output: str = ""
    stacktrace: str = ""
    is_transient: bool = False
    waits: bool = False
