"""The libraries that read, write and run graphs: `onnx` is an extra, and a graph may be too big for one file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from headrace.streams.sharding.errors import ShardExtraError

__all__ = ["graph_files", "import_onnx", "open_session", "read_graph", "write_graph"]

# Protocol buffers end at 2 GiB; what is bigger has its weights in a file beside it.
_MOST_BYTES = 1_900_000_000


def import_onnx() -> Any:
    """Return the onnx module.

    Raises:
        ShardExtraError: HR330.
    """
    try:
        import onnx
        import onnx.external_data_helper
        import onnx.helper
    except ImportError as error:
        raise ShardExtraError(str(error)) from error
    return onnx


def read_graph(path: Path) -> Any:
    """Return the model of a file with all of its weights."""
    return import_onnx().load(str(path))


def graph_files(path: Path) -> set[Path]:
    """Return the file of a graph and those that its weights lie in."""
    onnx = import_onnx()
    tensors = onnx.load(str(path), load_external_data=False).graph.initializer
    entries = (entry for tensor in tensors for entry in tensor.external_data if entry.key == "location")
    return {path, *(path.parent / entry.value for entry in entries)}


def write_graph(model: Any, path: Path, *, most_bytes: int = _MOST_BYTES) -> Path | None:
    """Write a model, and return the file of its weights when they did not fit into its own.

    Args:
        model: the model; its weights may be moved out of it.
        path: where to; the weights lie beside it.
        most_bytes: weights beyond these get a file of their own.
    """
    onnx = import_onnx()
    if sum(len(tensor.raw_data) for tensor in model.graph.initializer) <= most_bytes:
        onnx.save(model, str(path))
        return None
    beside = path.with_name(f"{path.name}.data")
    onnx.save(model, str(path), save_as_external_data=True, location=beside.name, size_threshold=1024)
    return beside if beside.exists() else None


def open_session(path: Path, *, profile: Path | None = None) -> Any:
    """Return a session with one thread, so that nodes and parts do not differ by how well they use several.

    Args:
        path: the graph.
        profile: where the times of all nodes are written when the session ends profiling; the graph is then run as it
            is, since nodes that were fused could not be told apart.
    """
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = 1
    settings.log_severity_level = 4
    if profile is not None:
        settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        settings.enable_profiling, settings.profile_file_prefix = True, str(profile)
    return onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
