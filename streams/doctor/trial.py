"""Try onnxruntime with CUDA in a process of its own, and print what came of it as JSON.

Run as `python -m headrace.streams.doctor.trial`; what onnxruntime complains of stands on stderr.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import json
from typing import Any

__all__ = ["main"]

# y = x, one float: the smallest graph there is, in ONNX (opset 13).
_GRAPH = (
    b'\x08\x08\x12\x00:7\n\x10\n\x01x\x12\x01y"\x08Identity\x12\x01gZ\x0f\n\x01x\x12\n\n\x08\x08\x01\x12\x04\n\x02\x08'
    b"\x01b\x0f\n\x01y\x12\n\n\x08\x08\x01\x12\x04\n\x02\x08\x01B\x04\n\x00\x10\r"
)


def main() -> None:
    """Print version, providers, why there is no driver (null when there is one), and whether CUDA ran the graph."""
    import onnxruntime

    facts = {
        "version": onnxruntime.__version__,
        "providers": onnxruntime.get_available_providers(),
        "driver": _driver_problem(),
        "cuda": False,
    }
    if facts["driver"] is None and "CUDAExecutionProvider" in facts["providers"]:
        facts["cuda"] = _runs_on_cuda(onnxruntime)
    print(json.dumps(facts))


def _driver_problem() -> str | None:
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return "no NVIDIA driver"
    count = ctypes.c_int(0)
    code = driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count))
    return f"the NVIDIA driver finds no device (CUDA error {code})" if code or not count.value else None


def _runs_on_cuda(onnxruntime: Any) -> bool:
    import numpy as np

    preload = getattr(onnxruntime, "preload_dlls", None)
    if preload is not None:  # libraries that pip brought; it prints what it does not find
        with contextlib.redirect_stdout(io.StringIO()):
            preload()
    session = onnxruntime.InferenceSession(_GRAPH, providers=["CUDAExecutionProvider", "CPUExecutionProvider"])
    session.run(None, {"x": np.ones(1, np.float32)})
    return "CUDAExecutionProvider" in session.get_providers()


if __name__ == "__main__":
    main()
