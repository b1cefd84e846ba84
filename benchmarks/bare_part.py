"""The peer: a process that has one part of a sharded model open in onnxruntime and nothing else.

Prints one JSON line: bytes in memory, as it opened, and after a run of the widest batch that a worker would make.
"""

from __future__ import annotations

import json
import sys


def main(graph: str, rows: int, tokens: int) -> None:
    """Open the graph, note what the process takes, run it on zeros, note it again."""
    import numpy as np
    import onnxruntime
    import psutil

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    opened = psutil.Process().memory_full_info()
    feeds = {
        given.name: np.zeros(
            [axis if isinstance(axis, int) else rows if at == 0 else tokens for at, axis in enumerate(given.shape)],
            _DTYPES[given.type],
        )
        for given in session.get_inputs()
    }
    session.run(None, feeds)
    ran = psutil.Process().memory_full_info()
    print(json.dumps({"opened": opened.rss, "ran": ran.rss}))


_DTYPES = {"tensor(float)": "float32", "tensor(int64)": "int64", "tensor(int32)": "int32", "tensor(bool)": "bool"}

if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
