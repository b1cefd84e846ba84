"""What can be wrong with a record on its way from model to model."""

from __future__ import annotations

from headrace.core.errors import RecordError

__all__ = ["ChainTextError"]


class ChainTextError(RecordError):
    """A model of a chain said nothing that the next one could read.

    The chain's `text` is a dotted path into the output before it, and for this record there is no string at it.
    Numbers, lists and objects are not turned into text by guess. Mend: correct the path, or the model that should
    answer with a string there; `headrace plan` shows the chain.
    """

    code = "HR518"
