"""An ONNX graph that takes and gives numbers: opened, looked over, and run on records or on one alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from headrace import TensorSpec
from headrace.core.tensor import FREE, Dtype
from headrace.core.tensor_row import together
from headrace.plugins.models.errors import GraphInputsError, GraphOutputError
from headrace.plugins.models.onnx_session import Errors, open_session, tensor_run_error

if TYPE_CHECKING:
    import numpy as np

    Tensors = Mapping[str, np.ndarray[Any, Any]]

__all__ = ["TensorGraph", "open_tensor_graph"]

_DTYPES: Mapping[str, Dtype] = {
    "tensor(float16)": "float16",
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(bool)": "bool",
    "tensor(int8)": "int8",
    "tensor(int16)": "int16",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
    "tensor(uint8)": "uint8",
    "tensor(uint16)": "uint16",
    "tensor(uint32)": "uint32",
    "tensor(uint64)": "uint64",
}
_EXPORT = "export a graph whose inputs and outputs are tensors of numbers"


class TensorGraph:
    """A session and what it takes and gives.

    Attributes:
        takes: its inputs, as a record brings them: without the axis that counts records.
        gives: its numeric outputs, likewise; what the graph does not say of their shape is free.
        first_axis: `batch`, records share a run; `one`, a run takes one record and the axis is 1; `none`, a run takes
            one record and there is no such axis.
        provider: what it runs on.
    """

    def __init__(self, session: Any, errors: Errors) -> None:
        self._session, self._errors = session, errors
        inputs = session.get_inputs()
        self.first_axis = _first_axis([given.shape for given in inputs])
        self.takes = tuple(self._spec(given) for given in inputs)
        self.gives = tuple(self._spec(given) for given in session.get_outputs() if given.type in _DTYPES)
        self.provider = str(session.get_providers()[0])
        _refuse_strange(inputs, self.gives)

    def run(self, rows: Sequence[Tensors], outputs: Sequence[str]) -> list[np.ndarray[Any, Any]]:
        """Return the outputs for records of one shape, each with an axis that counts the records.

        Args:
            rows: the inputs of each record; of one record only, unless the first axis is the batch.
            outputs: names of what is asked for.

        Raises:
            ModelMemoryError: HR326.
            GraphFailedError: HR327.
            GraphOutputError: HR323, an output has not one row a record.
        """
        import numpy as np

        alone = self.first_axis == "none"
        feeds = {
            spec.name: np.ascontiguousarray(rows[0][spec.name]) if alone else _stacked(rows, spec.name)
            for spec in self.takes
        }
        try:
            found = self._session.run(list(outputs), feeds)
        except self._errors as error:
            raise tensor_run_error(error, {name: values.shape for name, values in feeds.items()}) from error
        if alone or (self.first_axis == "one" and any(values.shape[:1] != (1,) for values in found)):
            return [values[None] for values in found]
        for name, values in zip(outputs, found, strict=True):
            if values.shape[:1] != (len(rows),):
                fault = f"its output {name!r} has shape {list(values.shape)} for {len(rows)} records"
                raise GraphOutputError(fault, mend="export it so that the first axis of each output counts records")
        return list(found)

    def _spec(self, given: Any) -> TensorSpec:
        dtype = _DTYPES.get(given.type, "float32")  # another one is refused in a moment
        sizes = tuple(size if isinstance(size, int) and size > 0 else FREE for size in given.shape)
        if self.first_axis != "none":
            sizes = sizes[1:] if sizes else (FREE,)  # of an output's shape onnxruntime may know nothing
        return TensorSpec(name=given.name, dtype=dtype, shape=sizes)


def open_tensor_graph(path: Path, *, threads: int, providers: Sequence[str] | None) -> TensorGraph:
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
    return TensorGraph(*open_session(path, threads=threads, providers=providers))


def _stacked(rows: Sequence[Tensors], name: str) -> np.ndarray[Any, Any]:
    """Return a tensor of records that have it in one shape as one array, with an axis that counts them."""
    import numpy as np

    shared = together(rows, name)
    if shared is not None:
        return np.ascontiguousarray(shared)
    arrays = [row[name] for row in rows]
    shape = arrays[0].shape
    # numpy's `stack` takes four times as long.
    return np.concatenate(arrays).reshape(len(arrays), *shape) if shape else np.stack(arrays)


def _first_axis(shapes: Sequence[Sequence[Any]]) -> Literal["batch", "one", "none"]:
    """Return what the first axes of all inputs are: of any size, of size 1, or anything else."""
    firsts = {("batch" if not isinstance(shape[0], int) else "one" if shape[0] == 1 else "none") if shape else "none"
              for shape in shapes}  # fmt: skip
    if firsts == {"batch"}:
        return "batch"
    return "one" if firsts and "none" not in firsts else "none"


def _refuse_strange(inputs: Sequence[Any], gives: Sequence[TensorSpec]) -> None:
    strange = list(_strange(inputs))
    if strange or not inputs:
        raise GraphInputsError(f"the graph takes {', '.join(strange) or 'no inputs'}", mend=_EXPORT)
    if not gives:
        raise GraphOutputError("the graph gives no tensor of numbers", mend=_EXPORT)


def _strange(inputs: Sequence[Any]) -> Iterator[str]:
    return (f"{given.name} {given.type}" for given in inputs if given.type not in _DTYPES)
