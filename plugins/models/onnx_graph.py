"""An ONNX graph that classifies texts: opened, looked over, and run with errors that say what to do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrace.plugins.models.errors import GraphInputsError, GraphOutputError
from headrace.plugins.models.onnx_batch import IDS, MASK, TYPES, Padded
from headrace.plugins.models.onnx_session import EXPORT, Errors, open_session, run_error

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Graph", "logits_name", "open_graph", "refuse_logits"]


class Graph:
    """A session and what it takes and gives.

    Attributes:
        inputs: names of its inputs.
        dtype: name of the integer type of its inputs.
        output: name of the logits.
        masks: whether it knows which tokens are padding; if not, texts of different lengths cannot share a run.
        provider: what it runs on.
    """

    def __init__(self, session: Any, errors: Errors) -> None:
        self._session, self._errors = session, errors
        self.inputs = tuple(given.name for given in session.get_inputs())
        self.dtype = _input_dtype(session)
        self.output = logits_name(session)
        self.masks = MASK in self.inputs
        self.provider = str(session.get_providers()[0])

    def run(self, texts: Padded) -> np.ndarray[Any, Any]:
        """Return the logits, ``[texts, labels]``, as float64.

        Raises:
            ModelMemoryError: HR326.
            GraphFailedError: HR327.
        """
        feeds = texts.feeds()
        try:
            (logits,) = self._session.run([self.output], {name: feeds[name] for name in self.inputs})
        except self._errors as error:
            raise run_error(error, *texts.ids.shape) from error
        return logits.astype("float64")  # type: ignore[no-any-return]

    def refuse_shape(self, shape: Sequence[int], texts: int, labels: Sequence[str]) -> None:
        """Refuse logits that are not those of a text classifier with these labels.

        Raises:
            GraphOutputError: HR323.
        """
        refuse_logits(self.output, shape, texts, labels)


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
    return Graph(*open_session(path, threads=threads, providers=providers))


def logits_name(session: Any) -> str:
    """Return the name of the output that is read: `logits`, else the first.

    Raises:
        GraphOutputError: HR323, it holds no floating-point numbers.
    """
    given = session.get_outputs()
    chosen = next((one for one in given if one.name == "logits"), given[0] if given else None)
    if chosen is None or chosen.type not in ("tensor(float)", "tensor(float16)", "tensor(double)"):
        fault = f"the graph gives {chosen.type if chosen else 'nothing'}, not logits"
        raise GraphOutputError(fault, mend="export it with its classification head")
    return str(chosen.name)


def refuse_logits(name: str, shape: Sequence[int], texts: int, labels: Sequence[str]) -> None:
    """Refuse logits that are not one row a text with one number a label, or a single one for two labels.

    Raises:
        GraphOutputError: HR323.
    """
    if len(shape) != 2 or shape[0] != texts:
        fault = f"its output {name!r} has shape {list(shape)} for {texts} texts"
        raise GraphOutputError(fault, mend="export it with its classification head")
    if shape[1] != len(labels) and (shape[1], len(labels)) != (1, 2):
        fault = f"the graph gives {shape[1]} logits, and there are {len(labels)} labels: {', '.join(labels)}"
        raise GraphOutputError(fault, mend="import it with one --label a logit")


def _input_dtype(session: Any) -> str:
    given = session.get_inputs()
    names = [one.name for one in given]
    if IDS not in names or not {IDS, MASK, TYPES}.issuperset(names):
        raise GraphInputsError(f"the graph takes {', '.join(names) or 'no inputs'}", mend=EXPORT)
    types = {one.type for one in given}
    if types not in ({"tensor(int64)"}, {"tensor(int32)"}):
        raise GraphInputsError(f"the graph's inputs are {', '.join(sorted(types))}, not integers", mend=EXPORT)
    for one in given:
        if len(one.shape) != 2 or any(isinstance(size, int) for size in one.shape):
            raise GraphInputsError(f"the graph's {one.name} has the fixed shape {one.shape}", mend=EXPORT)
    return "int64" if types == {"tensor(int64)"} else "int32"
