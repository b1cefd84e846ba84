"""Becomes a child's program, tied to the supervisor: when that dies, however it dies, the child gets SIGTERM.

Run as `python -I -S tether.py PARENT PROGRAM ARGUMENT...`. The kernel keeps the tie over exec (prctl(2),
PR_SET_PDEATHSIG); where there is no such call (macOS) the child runs untied. Nothing of Headrace is imported here,
since every start of a child passes through: 20 ms.
"""

from __future__ import annotations

import errno
import os
import signal
import sys

__all__ = ["main"]

_PR_SET_PDEATHSIG = 1
_NOT_EXECUTABLE, _NOT_FOUND = 126, 127  # as a shell says it


def main(parent: int, command: list[str]) -> None:
    """Tie this process to its parent and become the command; what cannot be started is said in one line."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGTERM), 0, 0, 0)
    if os.getppid() != parent:  # it died before the tie was made
        os._exit(128 + signal.SIGTERM)
    # A shell's background job ignores SIGINT, nohup ignores SIGHUP: neither is for the child.
    for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(sign, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    try:
        os.execvp(command[0], command)
    except OSError as error:
        print(f"{command[0]} cannot be started: {(error.strerror or str(error)).lower()}", file=sys.stderr, flush=True)
        os._exit(_NOT_FOUND if error.errno == errno.ENOENT else _NOT_EXECUTABLE)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
