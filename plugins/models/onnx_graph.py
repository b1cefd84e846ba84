"""An ONNX graph that classifies texts: opened, looked over, and run with errors that say what to do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrace.core.errors import HeadraceError
from headrace.plugins.models.errors import (
    GraphFailedError,
    GraphInputsError,
    GraphOutputError,
    GraphUnreadableError,
    ModelMemoryError,
)
from headrace.plugins.models.onnx_batch import Padded
from headrace.plugins.models.onnx_provider import Providers, choose_providers, import_onnxruntime

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Graph", "open_graph"]

_IDS, _MASK, _TYPES = "input_ids", "attention_mask", "token_type_ids"
_MEMORY = ("bad_alloc", "bad allocation", "failed to allocate", "out of memory", "cuda_error_out_of_memory")
_EXPORT = "export it for text classification with dynamic axes"


class Graph:
    """A session and what it takes and gives.

    Attributes:
        inputs: names of its inputs.
        dtype: name of the integer type of its inputs.
        masks: whether it knows which tokens are padding; if not, texts of different lengths cannot share a run.
        provider: what it runs on.
    """

    def __init__(self, session: Any, errors: tuple[type[Exception], ...]) -> None:
        self._session, self._errors = session, errors
        self.inputs = tuple(given.name for given in session.get_inputs())
        self.dtype = _input_dtype(session)
        self._output = _output(session)
        self.masks = _MASK in self.inputs
        self.provider = str(session.get_providers()[0])

    def run(self, texts: Padded) -> np.ndarray[Any, Any]:
        """Return the logits, ``[texts, labels]``, as float64.

        Raises:
            ModelMemoryError: HR326.
            GraphFailedError: HR327.
        """
        feeds = {_IDS: texts.ids, _MASK: texts.mask, _TYPES: texts.type_ids}
        try:
            (logits,) = self._session.run([self._output], {name: feeds[name] for name in self.inputs})
        except self._errors as error:
            raise _run_error(error, texts) from error
        return logits.astype("float64")  # type: ignore[no-any-return]

    def refuse_shape(self, shape: Sequence[int], texts: int, labels: Sequence[str]) -> None:
        """Refuse logits that are not one row a text with one number a label, or a single one for two labels.

        Raises:
            GraphOutputError: HR323.
        """
        if len(shape) != 2 or shape[0] != texts:
            fault = f"its output {self._output!r} has shape {list(shape)} for {texts} texts"
            raise GraphOutputError(fault, mend="export it with its classification head")
        if shape[1] != len(labels) and (shape[1], len(labels)) != (1, 2):
            fault = f"the graph gives {shape[1]} logits, and there are {len(labels)} labels: {', '.join(labels)}"
            raise GraphOutputError(fault, mend="import it with one --label a logit")


def open_graph(path: Path, *, threads: int, providers: Sequence[str] | None) -> Graph:
    """Return the graph of a file.

    Args:
        path: the ONNX file; weights beside it are found by onnxruntime.
        threads: processor threads that a run may use.
        providers: which to use, in order; None chooses.

    Raises:
        GraphUnreadableError: HR321.
        GraphInputsError: HR322.
        GraphOutputError: HR323.
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
        session = choose_providers(providers, runtime, make)
    except HeadraceError:
        raise
    except errors as error:
        raise _load_error(error, path) from error
    return Graph(session, errors)


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


def _error_classes(runtime: Any) -> tuple[type[Exception], ...]:
    """Return everything that onnxruntime raises; its classes share no base."""
    own = vars(runtime.capi.onnxruntime_pybind11_state).values()
    classes = (found for found in own if isinstance(found, type) and issubclass(found, Exception))
    return (*classes, RuntimeError, ValueError, MemoryError)


def _input_dtype(session: Any) -> str:
    given = session.get_inputs()
    names = [one.name for one in given]
    if _IDS not in names or not {_IDS, _MASK, _TYPES}.issuperset(names):
        raise GraphInputsError(f"the graph takes {', '.join(names) or 'no inputs'}", mend=_EXPORT)
    types = {one.type for one in given}
    if types not in ({"tensor(int64)"}, {"tensor(int32)"}):
        raise GraphInputsError(f"the graph's inputs are {', '.join(sorted(types))}, not integers", mend=_EXPORT)
    for one in given:
        if len(one.shape) != 2 or any(isinstance(size, int) for size in one.shape):
            raise GraphInputsError(f"the graph's {one.name} has the fixed shape {one.shape}", mend=_EXPORT)
    return "int64" if types == {"tensor(int64)"} else "int32"


def _output(session: Any) -> str:
    given = session.get_outputs()
    chosen = next((one for one in given if one.name == "logits"), given[0] if given else None)
    if chosen is None or chosen.type not in ("tensor(float)", "tensor(float16)", "tensor(double)"):
        fault = f"the graph gives {chosen.type if chosen else 'nothing'}, not logits"
        raise GraphOutputError(fault, mend="export it with its classification head")
    return str(chosen.name)


def _load_error(error: Exception, path: Path) -> HeadraceError:
    if _is_memory(error):
        return ModelMemoryError(
            f"no memory for {path.name}: {_said(error)}", mend="give it more, or use a smaller model"
        )
    said = _said(error).replace(f"{path.parent}/", "")
    return GraphUnreadableError(
        f"onnxruntime cannot load {path.name}: {said}", mend="export it again, or update onnxruntime"
    )


def _run_error(error: Exception, texts: Padded) -> HeadraceError:
    rows, tokens = texts.ids.shape
    if _is_memory(error):
        fault = f"no memory for a run of {rows} x {tokens} tokens: {_said(error)}"
        return ModelMemoryError(fault, mend="lower micro_batch.records, micro_batch.tokens or max_tokens")
    fault = f"onnxruntime failed on a run of {rows} x {tokens} tokens: {_said(error)}"
    return GraphFailedError(fault, mend=f"{_EXPORT}, or lower max_tokens")


def _is_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError) or any(sign in str(error).lower() for sign in _MEMORY)


def _said(error: Exception) -> str:
    words = str(error).removeprefix("[ONNXRuntimeError] : ").split()
    return " ".join(words)[:300] or type(error).__name__
