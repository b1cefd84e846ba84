"""What each node of a graph costs: the time that it takes, or the bytes of its weights."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

from headrace.streams.sharding.anatomy import Anatomy, name_of
from headrace.streams.sharding.chain import PartChain
from headrace.streams.sharding.library import import_onnx, open_session, write_graph

if TYPE_CHECKING:
    import numpy as np

__all__ = ["cost_by_size", "cost_by_time", "shares_by_size", "shares_by_time"]

_RUNS = 7


def cost_by_size(anatomy: Anatomy) -> list[float]:
    """Return bytes of the weights that each node of `anatomy.work` is the first to need."""
    seen: set[str] = set()
    costs = []
    for node in anatomy.work:
        _, roots = anatomy.remade(node.input)
        new = roots.difference(seen, anatomy.inputs)
        seen.update(new)
        costs.append(float(sum(anatomy.weights[name] for name in new)))
    return costs


def cost_by_time(anatomy: Anatomy, feeds: Mapping[str, np.ndarray[Any, Any]], folder: Path) -> list[float]:
    """Return the median milliseconds of each node of `anatomy.work`, measured by onnxruntime on this machine.

    The graph is not optimised for it: fused nodes could not be told apart. What is made of weights alone costs nothing
    in a real run and is left out.

    Args:
        anatomy: of the graph.
        feeds: inputs as they are usual.
        folder: for files that are not kept.
    """
    model = import_onnx().ModelProto()
    model.CopyFrom(anatomy.model)
    for at, node in enumerate(model.graph.node):
        node.name = f"node_{at}"
    write_graph(model, folder / "timed.onnx")
    session = open_session(folder / "timed.onnx", profile=folder / "profile")
    given = {one.name: feeds[one.name] for one in session.get_inputs()}
    for _ in range(_RUNS):
        session.run(None, given)
    took = _took(Path(session.end_profiling()))
    names = {name_of(node): f"node_{at}" for at, node in enumerate(anatomy.model.graph.node)}
    return [took.get(names[name_of(node)], 0.0) for node in anatomy.work]


def shares_by_size(files: Sequence[Sequence[Path]]) -> list[float]:
    """Return each part's share of all bytes.

    Args:
        files: of each part.
    """
    return _shares([float(sum(path.stat().st_size for path in own)) for own in files])


def shares_by_time(chain: PartChain, feeds: Mapping[str, np.ndarray[Any, Any]]) -> list[float]:
    """Return each part's share of the time that all take, as they will run: optimised, one after the other.

    Args:
        chain: the parts.
        feeds: inputs of the whole graph as they are usual.
    """
    took: list[list[float]] = [[] for _ in chain.parts]
    for _ in range(_RUNS + 1):
        tensors = dict(feeds)
        for part, times in zip(chain.parts, took, strict=True):
            began = perf_counter()
            tensors.update(part.run(tensors))
            times.append(perf_counter() - began)
    return _shares([median(times[1:]) for times in took])  # the first run of a session also plans its memory


def _shares(costs: Sequence[float]) -> list[float]:
    total = sum(costs)
    return [round(cost / total, 4) if total else 0.0 for cost in costs]


def _took(profile: Path) -> dict[str, float]:
    times: dict[str, list[float]] = defaultdict(list)
    for event in json.loads(profile.read_text(encoding="utf-8")):
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            times[event["name"].removesuffix("_kernel_time")].append(event["dur"] / 1000)
    return {name: median(durations) for name, durations in times.items()}
