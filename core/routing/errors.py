"""What can be wrong with a record on its way from model to model."""

from __future__ import annotations

from headrace.core.errors import RecordError

__all__ = [
    "BranchExpiredError",
    "ChainTextError",
    "LabelsDifferError",
    "LateAnswerError",
    "NoAnswerError",
    "NotJoinableError",
]


class ChainTextError(RecordError):
    """A model of a chain said nothing that the next one could read.

    The chain's `text` is a dotted path into the output before it, and for this record there is no string at it.
    Numbers, lists and objects are not turned into text by guess. Mend: correct the path, or the model that should
    answer with a string there; `headrace plan` shows the chain.
    """

    code = "HR518"


class NoAnswerError(RecordError):
    """Every model that a parallel route asked failed on the record.

    One answer would have been enough for a result. The message names each model and the code that it failed with.
    Mend: what those codes say (`headrace explain CODE`), then redrive the record.
    """

    code = "HR530"


class LateAnswerError(RecordError):
    """No model of a parallel route answered before its deadline.

    `deadline` counts from the moment that the record's first batch began until an answer lies on the link to egress.
    One answer in time would have been enough. Mend: look at the lag of the models (`headrace status`), raise the
    deadline, then redrive the record.
    """

    code = "HR531"


class NotJoinableError(RecordError):
    """A model's answer lacks what the join of its parallel route works with.

    `best` compares `score`, a number; `vote` counts `label`, a text; `average` takes the mean of `scores`, an object
    of labels with numbers. Such an answer counts as none; the others are joined. Mend: choose another join, or
    correct the model.
    """

    code = "HR532"


class LabelsDifferError(RecordError):
    """Models whose scores are to be averaged gave scores for different labels.

    A mean over labels that only some models know would favour those. Where models say beforehand which labels they
    have, `check` refuses the route (HR122). Mend: rename labels in the models, or join by `vote`.
    """

    code = "HR533"


class BranchExpiredError(RecordError):
    """The deadline of a record passed before it came to one of the models that a parallel route asked.

    The model is left out, like one that failed. When none of them came to it in time, the record ends as expired.
    Mend: look at the lag of the models (`headrace status`), or give records more time (`delivery.deadline`).
    """

    code = "HR535"
