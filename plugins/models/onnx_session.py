"""A session of onnxruntime on one file: how it is set up, and what its errors become."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from headrace.core.errors import HeadraceError
from headrace.plugins.models.errors import GraphFailedError, GraphUnreadableError, ModelMemoryError
from headrace.plugins.models.onnx_provider import Providers, choose_providers, import_onnxruntime

__all__ = ["EXPORT", "Errors", "open_session", "run_error", "tensor_run_error"]

Errors = tuple[type[Exception], ...]
EXPORT = "export it for text classification with dynamic axes"
_MEMORY = ("bad_alloc", "bad allocation", "failed to allocate", "out of memory", "cuda_error_out_of_memory")


def open_session(path: Path, *, threads: int, providers: Sequence[str] | None) -> tuple[Any, Errors]:
    """Return a session, and every class of error that it may raise.

    Args:
        path: the ONNX file; weights beside it are found by onnxruntime.
        threads: processor threads that a run may use.
        providers: which to use, in order; None chooses.

    Raises:
        GraphUnreadableError: HR321.
        ProviderMissingError: HR320.
        ModelMemoryError: HR326.
        ModelLibraryError: HR328.
    """
    runtime = import_onnxruntime()
    errors = _error_classes(runtime)

    def make(chosen: Providers) -> Any:
        # Without fallback: a GPU that fails is an error, not a run that is suddenly fifty times slower.
        return runtime.InferenceSession(str(path), _settings(runtime, threads), chosen, enable_fallback=0)

    try:
        return choose_providers(providers, runtime, make), errors
    except HeadraceError:
        raise
    except errors as error:
        raise _load_error(error, path) from error


def run_error(error: Exception, rows: int, tokens: int) -> HeadraceError:
    """Return what an error of a run is to the reader.

    Args:
        error: what onnxruntime raised.
        rows: texts of the run.
        tokens: tokens of each, padding included.
    """
    run = f"{rows} x {tokens} tokens"
    if _is_memory(error):
        return _no_memory(error, run, "lower micro_batch.records, micro_batch.tokens or max_tokens")
    return _failed(error, run, f"{EXPORT}, or lower max_tokens")


def tensor_run_error(error: Exception, shapes: Mapping[str, tuple[int, ...]]) -> HeadraceError:
    """Return what an error of a run on numbers is to the reader.

    Args:
        error: what onnxruntime raised.
        shapes: of the inputs.
    """
    run = ", ".join(f"{name} {list(shape)}" for name, shape in shapes.items())
    if _is_memory(error):
        return _no_memory(error, run, "lower micro_batch.records")
    return _failed(error, run, "publish tensors of sizes that the model takes, or export it with dynamic axes")


def _no_memory(error: Exception, run: str, mend: str) -> HeadraceError:
    return ModelMemoryError(f"no memory for a run of {run}: {_said(error)}", mend=mend)


def _failed(error: Exception, run: str, mend: str) -> HeadraceError:
    return GraphFailedError(f"onnxruntime failed on a run of {run}: {_said(error)}", mend=mend)


def _settings(runtime: Any, threads: int) -> Any:
    settings = runtime.SessionOptions()
    settings.intra_op_num_threads = threads
    settings.inter_op_num_threads = 1
    # A spinning thread is 4-9% faster alone and ruins everybody once cores are shared, as they are with Kafka.
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # A memory plan is kept for every shape ever seen, and nearly every run has its own: without, 5 MiB less after
    # 120 runs of a MiniLM, growing no more, and as fast.
    settings.enable_mem_pattern = False
    settings.log_severity_level = 4
    return settings


def _error_classes(runtime: Any) -> Errors:
    """Return everything that onnxruntime raises; its classes share no base."""
    own = vars(runtime.capi.onnxruntime_pybind11_state).values()
    classes = (found for found in own if isinstance(found, type) and issubclass(found, Exception))
    return (*classes, RuntimeError, ValueError, MemoryError)


def _load_error(error: Exception, path: Path) -> HeadraceError:
    if _is_memory(error):
        return ModelMemoryError(
            f"no memory for {path.name}: {_said(error)}", mend="give it more, or use a smaller model"
        )
    said = _said(error).replace(f"{path.parent}/", "")
    return GraphUnreadableError(
        f"onnxruntime cannot load {path.name}: {said}", mend="export it again, or update onnxruntime"
    )


def _is_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError) or any(sign in str(error).lower() for sign in _MEMORY)


def _said(error: Exception) -> str:
    words = str(error).removeprefix("[ONNXRuntimeError] : ").split()
    return " ".join(words)[:300] or type(error).__name__
