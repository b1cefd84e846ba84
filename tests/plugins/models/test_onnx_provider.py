"""Where a model runs. No test machine of ours has a GPU: the libraries around it are stood in for."""

from __future__ import annotations

import ctypes
import logging
from pathlib import Path
from typing import Any

import pytest

from headrace.plugins.models import onnx_provider
from headrace.plugins.models.errors import ProviderMissingError
from headrace.plugins.models.onnx_graph import open_graph
from headrace.plugins.models.onnx_provider import Providers, choose_providers, why_not_cuda
from tests.tiny_model import write_graph

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"


class Runtime:
    """An onnxruntime with these providers, of which some load."""

    __file__ = "/nowhere/onnxruntime/__init__.py"

    def __init__(self, *available: str, loads: tuple[str, ...] = (CPU, CUDA)) -> None:
        self._available, self._loads = available, loads
        self.asked: list[Providers] = []

    def get_available_providers(self) -> list[str]:
        return list(self._available)

    def make(self, providers: Providers) -> Any:
        self.asked.append(providers)
        session = type("Session", (), {})()
        names = [name for name, _ in providers if name in self._loads]
        session.get_providers = lambda: names if CPU in names else [*names, CPU]
        return session


class Driver:
    """A libcuda.so.1."""

    def __init__(self, *, devices: int = 1, code: int = 0) -> None:
        self._devices, self._code = devices, code

    def cuInit(self, _: int) -> int:  # noqa: N802 - the driver's name
        return self._code

    def cuDeviceGetCount(self, count: Any) -> int:  # noqa: N802 - the driver's name
        count._obj.value = self._devices
        return 0


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let this machine have an NVIDIA driver, or a broken one."""

    def install(libraries: Any = None, **facts: int) -> None:
        def load(name: str, mode: int = 0) -> Any:
            if name == "libcuda.so.1":
                return Driver(**facts)
            if libraries is not None:
                raise OSError(libraries)
            return object()

        monkeypatch.setattr(ctypes, "CDLL", load)

    return install


def refusal(runtime: Runtime, *asked: str) -> ProviderMissingError:
    with pytest.raises(ProviderMissingError) as caught:
        choose_providers(asked, runtime, runtime.make)
    return caught.value


# -- asked for by name


@pytest.mark.provokes("HR320")
def test_a_provider_that_the_installed_onnxruntime_lacks_is_refused_with_those_it_has() -> None:
    error = refusal(Runtime(CPU), "cuda")
    assert error.fault == "provider cuda does not work here: the installed onnxruntime has cpu"
    assert "leave `providers` away" in error.mend


@pytest.mark.provokes("HR320")
def test_a_machine_without_a_driver_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str, mode: int = 0) -> Any:
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(ctypes, "CDLL", missing)
    assert "no NVIDIA driver (libcuda.so.1: cannot open" in refusal(Runtime(CUDA, CPU), "cuda", "cpu").fault


@pytest.mark.provokes("HR320")
@pytest.mark.parametrize(("facts", "said"), [({"devices": 0}, "CUDA error 0"), ({"code": 100}, "CUDA error 100")])
def test_a_driver_without_a_device_is_told(driver: Any, facts: dict[str, int], said: str) -> None:
    driver(**facts)
    assert f"finds no device ({said})" in refusal(Runtime(CUDA, CPU), "cuda").fault


@pytest.mark.provokes("HR320")
def test_a_library_that_is_not_installed_is_named(driver: Any) -> None:
    driver("libcublasLt.so.13: cannot open shared object file: No such file or directory")
    fault = refusal(Runtime(CUDA, CPU), "cuda").fault
    assert "libcublasLt.so.13" in fault
    assert "onnxruntime-gpu[cuda,cudnn]" in fault


@pytest.mark.provokes("HR320")
def test_a_provider_that_onnxruntime_silently_leaves_out_is_refused(driver: Any) -> None:
    driver()
    assert "could not load it" in refusal(Runtime(CUDA, CPU, loads=(CPU,)), "cuda", "cpu").fault


@pytest.mark.provokes("HR320")
def test_a_provider_that_raises_is_refused_with_its_words() -> None:
    runtime = Runtime("TensorrtExecutionProvider", CPU)

    def make(_: Providers) -> Any:
        raise RuntimeError("Please install TensorRT\nlibraries")

    with pytest.raises(ProviderMissingError, match=r"provider tensorrt .* Please install TensorRT libraries"):
        choose_providers(["tensorrt"], runtime, make)


@pytest.mark.parametrize("name", ["cpu", "CPU", "CPUExecutionProvider", "cpuexecutionprovider"])
def test_short_and_long_names_are_the_same(name: str) -> None:
    runtime = Runtime(CUDA, CPU)
    choose_providers([name], runtime, runtime.make)
    assert runtime.asked == [[(CPU, {})]]


def test_cuda_computes_in_whole_float32(driver: Any) -> None:
    driver()
    runtime = Runtime(CUDA, CPU)
    choose_providers(["cuda", "cpu"], runtime, runtime.make)
    assert runtime.asked == [[(CUDA, {"use_tf32": "0"}), (CPU, {})]]


# -- chosen


def test_a_gpu_is_used_where_it_works(driver: Any) -> None:
    driver()
    runtime = Runtime(CUDA, CPU)
    assert choose_providers(None, runtime, runtime.make).get_providers() == [CUDA, CPU]


def test_the_processor_is_used_without_a_word_where_there_is_no_gpu(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(onnx_provider, "_driver_problem", lambda: "none")
    for runtime in (Runtime(CPU), Runtime(CUDA, CPU)):
        assert choose_providers(None, runtime, runtime.make).get_providers() == [CPU]
    assert not caplog.records


def test_a_gpu_that_is_there_and_does_not_work_is_told(driver: Any, caplog: pytest.LogCaptureFixture) -> None:
    driver("libcudnn.so.9: cannot open shared object file")
    runtime = Runtime(CUDA, CPU)
    with caplog.at_level(logging.WARNING):
        assert choose_providers(None, runtime, runtime.make).get_providers() == [CPU]
    assert "libcudnn.so.9" in caplog.text


def test_the_reason_is_there_for_those_who_ask(driver: Any) -> None:
    assert "built without it" in str(why_not_cuda(Runtime(CPU)))
    driver()
    assert why_not_cuda(Runtime(CUDA, CPU)) is None


def test_libraries_that_do_not_load_say_nothing_on_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    # As on a machine with a driver: onnxruntime tries its CUDA library for real, and here that does not load.
    monkeypatch.setattr(onnx_provider, "_driver_problem", lambda: None)
    monkeypatch.setattr(onnx_provider, "why_not_cuda", lambda _: None)
    write_graph(tmp_path / "model.onnx")
    open_graph(tmp_path / "model.onnx", threads=1, providers=None)
    assert capfd.readouterr() == ("", "")
