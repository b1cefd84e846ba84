"""Which tensors of a graph can travel a row a text: found out by running it on two texts, three, and longer ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from headrace.core.registry.shard import BATCH, TOKENS, BoundaryTensor
from headrace.streams.sharding.library import import_onnx, open_session, write_graph

if TYPE_CHECKING:
    import numpy as np

    Tensors = Mapping[str, np.ndarray[Any, Any]]

__all__ = ["probe", "run_graph", "sample"]

_TOKENS = 7
_NOISE = 1e-4  # of a tensor's own size: far above the rounding of float32, far below another text's row


def sample(row: Tensors, texts: int, tokens: int) -> dict[str, np.ndarray[Any, Any]]:
    """Return inputs of any size, made of those of one long text: each row begins elsewhere in it.

    Args:
        row: inputs of a graph for one text, ``[1, length]``.
        texts: how many rows.
        tokens: how long; the text is repeated as needed.
    """
    import numpy as np

    places = (np.arange(texts)[:, None] * 3 + np.arange(tokens)) % next(iter(row.values())).shape[1]
    return {name: values[0][places] for name, values in row.items()}


def probe(
    model: Any, names: Iterable[str], row: Tensors, folder: Path, *, max_tokens: int, by_row: bool
) -> dict[str, BoundaryTensor]:
    """Return those of some tensors that have one row a text, with their types and shapes.

    Args:
        model: the whole model.
        names: the tensors.
        row: inputs for one text.
        folder: for files that are not kept.
        max_tokens: longest text that the model takes.
        by_row: whether a row must not depend on the other rows; a model that mixes them runs each text alone anyway.
    """
    names = sorted(names)
    long = max(1, min(_TOKENS, max_tokens))
    short = max(1, long - 2)
    sizes = [(2, short), (3, short), (2, long)]
    two, three, longer = run_graph(model, names, [sample(row, *size) for size in sizes], folder)
    found = {}
    for name in names:
        tensor = _boundary(name, two[name], three[name], longer[name], (short, long))
        if tensor is not None and (not by_row or _same(two[name], three[name][:2])):
            found[name] = tensor
    return found


def run_graph(
    model: Any, names: Sequence[str], feeds: Sequence[Tensors], folder: Path
) -> list[dict[str, np.ndarray[Any, Any]]]:
    """Return what tensors inside of a graph hold, for each of some inputs; they are made outputs of a copy of it."""
    onnx = import_onnx()
    seen = onnx.ModelProto()
    seen.CopyFrom(model)
    given = {one.name for one in seen.graph.output}
    seen.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names if name not in given)
    path = folder / "seen.onnx"
    write_graph(seen, path)
    session = open_session(path)
    wanted = [one.name for one in session.get_inputs()]
    runs = (session.run(list(names), {name: tensors[name] for name in wanted}) for tensors in feeds)
    return [dict(zip(names, values, strict=True)) for values in runs]


def _boundary(name: str, two: Any, three: Any, longer: Any, tokens: tuple[int, int]) -> BoundaryTensor | None:
    shapes = [getattr(values, "shape", ()) for values in (two, three, longer)]
    if len({len(shape) for shape in shapes}) != 1 or [shape[:1] for shape in shapes] != [(2,), (3,), (2,)]:
        return None
    axes: list[int | str | None] = [BATCH]
    for a, b, c in zip(*(shape[1:] for shape in shapes), strict=True):
        axes.append(None if a != b else a if a == c else TOKENS if (a, c) == tokens else None)
    try:
        return BoundaryTensor.model_validate({"name": name, "dtype": str(two.dtype), "shape": axes})
    except ValidationError:  # an axis that is neither fixed nor the tokens, or a type that numpy does not have
        return None


def _same(two: Any, three: Any) -> bool:
    import numpy as np

    if two.dtype.kind != "f":
        return bool(np.array_equal(two, three))
    size = float(np.abs(two[np.isfinite(two)]).max(initial=0.0))
    return bool(np.allclose(two, three, rtol=0, atol=_NOISE * max(size, 1e-6), equal_nan=True))
