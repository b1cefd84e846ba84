"""What can be wrong with the workers that one `headrace run` looks after."""

from __future__ import annotations

from headrace.core.errors import MachineError

__all__ = ["WorkerFailedError", "WorkersNotStoppedError"]


class WorkerFailedError(MachineError):
    """A worker cannot run, so `headrace run` stopped all of them.

    A worker that is killed or crashes is started again, for as long as it takes. But one that ends by itself as if its
    work were done, that is called in a wrong way, or that fails three times in a row before it was ever ready, would
    do so for ever. The message repeats the last thing that it said, with that error's own code. Mend: look that code
    up with `headrace explain`, mend what it says, and start again; nothing is lost meanwhile.
    """

    code = "HR412"


class WorkersNotStoppedError(MachineError):
    """Some workers did not end well when they were told to stop.

    Each has 35 seconds to end its batches in flight (5 after a second signal), then it is killed; or it ended with an
    error of its own, which stands above in the log. Nothing is lost: what was not committed is read again, and some
    results may come twice, with the same ce_id. Mend: look in the log for the slow step or the broker's fault.
    """

    code = "HR413"
