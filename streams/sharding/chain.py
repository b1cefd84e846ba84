"""The parts of a graph, run one after the other on what the ones before gave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Tensors = Mapping[str, np.ndarray[Any, Any]]

__all__ = ["ChainPart", "PartChain"]


class ChainPart:
    """One part: its session, and the tensors that it gives; of the last one every output."""

    def __init__(self, session: Any, gives: Sequence[str]) -> None:
        self._session = session
        self.inputs = tuple(one.name for one in session.get_inputs())
        self.gives = tuple(gives) or tuple(one.name for one in session.get_outputs())

    def run(self, tensors: Tensors) -> dict[str, np.ndarray[Any, Any]]:
        """Return what the part makes."""
        values = self._session.run(list(self.gives), {name: tensors[name] for name in self.inputs})
        return dict(zip(self.gives, values, strict=True))


class PartChain:
    """All parts of a graph, in order."""

    def __init__(self, sessions: Sequence[Any], makes: Sequence[Sequence[str]]) -> None:
        self.parts = [ChainPart(session, gives) for session, gives in zip(sessions, makes, strict=True)]

    def run(self, tensors: Tensors, start: int = 0, end: int | None = None) -> dict[str, np.ndarray[Any, Any]]:
        """Return the tensors with everything that the parts from `start` up to, not with, `end` make."""
        found = dict(tensors)
        for part in self.parts[start:end]:
            found.update(part.run(found))
        return found

    def last(self, tensors: Tensors) -> np.ndarray[Any, Any]:
        """Return what the last part made: the logits."""
        return tensors[self.parts[-1].gives[0]]
