"""What is said of onnxruntime and CUDA."""

from __future__ import annotations

from typing import Any

import pytest

from headrace.streams.doctor import runtime

FACTS = {"version": "1.31.1", "providers": ["CUDAExecutionProvider", "CPUExecutionProvider"], "driver": None}

# What onnxruntime-gpu 1.31.1 wrote on a machine without CUDA's libraries, colours and all.
LIBRARY_MISSING = """\
\x1b[1;31m2026-11-23 22:15:45.183 [E:onnxruntime:Default, provider_bridge_ort.cc:2458 operator()] /onnxruntime_src/\
onnxruntime/core/session/provider_bridge_ort.cc:2043 onnxruntime::Provider& onnxruntime::ProviderLibrary::Get() \
[ONNXRuntimeError] : 1 : FAIL : Failed to load library /x/capi/libonnxruntime_providers_cuda.so with error: \
libcublasLt.so.13: cannot open shared object file: No such file or directory
\x1b[m
\x1b[0;93m2026-11-23 22:15:45.183 [W:onnxruntime:Default, onnxruntime_pybind_state.cc:1295 CreateExecutionProvider\
FactoryInstance] Failed to create CUDAExecutionProvider. Require cuDNN 9.* and CUDA 13.*. Please install all \
dependencies as mentioned in the GPU requirements page, make sure they're in the PATH.\x1b[m
"""


def cuda(log: str = "", **facts: Any) -> tuple[str, str, str]:
    found = runtime.cuda_finding({**FACTS, "cuda": False, **facts}, log)
    return found.state, found.fact, found.mend


def test_cuda_that_ran_something_works() -> None:
    assert cuda(cuda=True)[0] == "ok"


def test_a_machine_without_a_gpu_is_told_so_and_is_well() -> None:
    assert cuda(driver="no NVIDIA driver") == ("ok", "not used, models run on the processor: no NVIDIA driver", "")


def test_a_missing_library_is_named_as_onnxruntime_names_it() -> None:
    state, fact, mend = cuda(LIBRARY_MISSING)
    assert (state, mend) == ("warn", "pip install 'onnxruntime-gpu[cuda,cudnn]' brings the libraries")
    assert fact == (
        "there is a GPU, but it cannot be used: libcublasLt.so.13: cannot open shared object file: "
        "No such file or directory (it needs cuDNN 9.* and CUDA 13.*)"
    )


def test_an_onnxruntime_without_cuda_is_told_apart() -> None:
    state, fact, mend = cuda(providers=["CPUExecutionProvider"])
    assert (state, "is built without CUDA" in fact, "onnxruntime-gpu" in mend) == ("warn", True, True)


def test_without_a_reason_that_is_said() -> None:
    assert cuda("")[1].endswith("cannot be used: onnxruntime gives no reason")


def test_the_onnxruntime_of_this_machine_answers() -> None:
    first, second = runtime.look_at_runtime()
    assert (first.subject, first.state, second.subject) == ("onnxruntime", "ok", "cuda")
    assert "CPU" in first.fact


@pytest.mark.parametrize(
    ("program", "fault"),
    [("raise ImportError('libgomp is missing')", "ImportError: libgomp is missing"), ("exit(3)", "with status 3")],
)
def test_an_onnxruntime_that_breaks_fails_with_its_last_words(program: str, fault: str) -> None:
    (found,) = runtime.look_at_runtime(("-c", program))
    assert (found.state, found.subject) == ("fail", "onnxruntime")
    assert found.fact.endswith(fault)
