"""Which execution provider a model runs on, and why one does not work here."""

from __future__ import annotations

import contextlib
import ctypes
import io
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from headrace.plugins.models.errors import ModelLibraryError, ProviderMissingError

__all__ = ["Providers", "choose_providers", "import_onnxruntime", "why_not_cuda"]

_CPU, _CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
# TensorFloat-32 rounds to 10 bits, by kernels chosen for the batch's shape: a result would depend on its batch.
_OPTIONS: dict[str, dict[str, str]] = {_CUDA: {"use_tf32": "0"}}
_log = logging.getLogger(__name__)

Providers = list[tuple[str, dict[str, str]]]


def import_onnxruntime() -> Any:
    """Return the onnxruntime module, made quiet: what it has to say comes as exceptions as well.

    Raises:
        ModelLibraryError: HR328.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise ModelLibraryError(f"onnxruntime cannot be imported: {error}", mend="reinstall onnxruntime") from error
    onnxruntime.set_default_logger_severity(4)
    return onnxruntime


def choose_providers(asked: Sequence[str] | None, runtime: Any, make: Callable[[Providers], Any]) -> Any:
    """Return the session made on the first choice that works.

    Args:
        asked: providers in order, such as cuda or CUDAExecutionProvider; None: CUDA where it works, else the processor.
        runtime: the onnxruntime module.
        make: opens the session on these providers; onnxruntime silently leaves one out that does not load.

    Raises:
        ProviderMissingError: HR320, an asked one does not work; it is never replaced silently.
    """
    if asked is not None:
        return _exactly([_full_name(name, runtime) for name in asked], runtime, make)
    if _CUDA not in runtime.get_available_providers() or _driver_problem() is not None:
        return make(_with_options([_CPU]))
    try:
        return _exactly([_CUDA, _CPU], runtime, make)
    except ProviderMissingError as error:
        _log.warning("there is a GPU, but the model runs on the processor: %s", error.fault)
        return make(_with_options([_CPU]))


def why_not_cuda(runtime: Any) -> str | None:
    """Return why CUDA cannot work here, as far as can be told without a model; None when nothing speaks against it."""
    if _CUDA not in runtime.get_available_providers():
        return "the installed onnxruntime is built without it (onnxruntime-gpu has it)"
    return _driver_problem() or _library_problem(runtime)


def _exactly(names: list[str], runtime: Any, make: Callable[[Providers], Any]) -> Any:
    if _CUDA in names:
        _refuse_cuda(runtime)
    try:
        session = make(_with_options(names))
    except RuntimeError as error:  # a provider's libraries; what is wrong with a graph has classes of its own
        raise _missing(names[0], " ".join(str(error).split())[-300:]) from error
    for name in names:
        if name not in session.get_providers():
            raise _missing(name, "onnxruntime could not load it")
    return session


def _refuse_cuda(runtime: Any) -> None:
    problem = why_not_cuda(runtime)
    if problem is not None:
        raise _missing(_CUDA, problem)


def _full_name(asked: str, runtime: Any) -> str:
    available: list[str] = runtime.get_available_providers()
    by_short = {_short_name(name): name for name in available}
    found = by_short.get(_short_name(asked))
    if found is None:
        raise _missing(asked, f"the installed onnxruntime has {', '.join(sorted(by_short))}")
    return found


def _short_name(name: str) -> str:
    return name.lower().removesuffix("executionprovider")


def _with_options(names: Sequence[str]) -> Providers:
    return [(name, _OPTIONS.get(name, {})) for name in names]


def _missing(name: str, reason: str) -> ProviderMissingError:
    return ProviderMissingError(
        f"provider {_short_name(name)} does not work here: {reason}",
        mend="install what is missing, or leave `providers` away",
    )


def _driver_problem() -> str | None:
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError as error:
        return f"no NVIDIA driver ({error})"
    count = ctypes.c_int(0)
    code = driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count))
    if code or not count.value:
        return f"the NVIDIA driver finds no device (CUDA error {code})"
    return None


def _library_problem(runtime: Any) -> str | None:
    """Load the provider's library as onnxruntime will: its own message names the first library that is missing."""
    preload = getattr(runtime, "preload_dlls", None)
    if preload is not None:
        with contextlib.redirect_stdout(io.StringIO()):  # it prints what it does not find
            preload()
    folder = Path(runtime.__file__).parent / "capi"
    try:
        ctypes.CDLL(str(folder / "libonnxruntime_providers_shared.so"), mode=ctypes.RTLD_GLOBAL)
        ctypes.CDLL(str(folder / "libonnxruntime_providers_cuda.so"))
    except OSError as error:
        if "cannot open shared object file" in str(error):
            return f"{error}; pip install 'onnxruntime-gpu[cuda,cudnn]' brings its libraries"
    return None
