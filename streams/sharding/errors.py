"""What can go wrong when a model is cut, or when its parts are compared with the whole."""

from __future__ import annotations

from headrace.core.errors import ConfigError, MachineError

__all__ = [
    "GraphCapturesError",
    "NoPlaceToCutError",
    "NotShardedError",
    "PartsDifferError",
    "ShardExtraError",
    "ShardedAlreadyError",
    "TextsMissingError",
    "TextsOnlyError",
]


class ShardExtraError(MachineError):
    """The package that cuts graphs is not installed.

    It is an extra, because running a sharded model does not need it. Mend: `pip install 'headrace[shard]'`.
    """

    code = "HR330"

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"graphs are cut with onnx, which cannot be imported ({reason})", mend="pip install 'headrace[shard]'"
        )


class GraphCapturesError(ConfigError):
    """The graph has a branch or a loop that reaches for tensors outside of itself, and such a graph is not cut.

    If, Loop and Scan hold graphs of their own. What these take from around them is not among the inputs of the node,
    so a part could silently lack it. Mend: export the model without control flow; encoders need none.
    """

    code = "HR331"


class NoPlaceToCutError(ConfigError):
    """The graph has fewer places to cut than the parts that are asked for.

    A place is good when every tensor that crosses it has one row a text: its first axis is the batch, its other axes
    are fixed or the tokens, and a text's row does not depend on its neighbours. Mend: ask for fewer parts; or export
    the model again, with dynamic axes and without folding the batch into another axis.
    """

    code = "HR332"


class ShardedAlreadyError(ConfigError):
    """The version is sharded, and a whole one is needed.

    Parts are not cut again, and parts are not compared with parts. Mend: name the version that it was cut from;
    `headrace model show` has it as `sharded_from`.
    """

    code = "HR333"


class NotShardedError(ConfigError):
    """The version is whole, so there are no parts to compare with it.

    Mend: name a sharded version; `headrace model shard NAME@VERSION` makes one.
    """

    code = "HR334"


class PartsDifferError(ConfigError):
    """The parts of a model do not answer as the whole one does.

    A score differs by more than 1e-5, a label is another one, or a text was truncated differently. The message names
    the first tensor between two parts that differs, so the fault lies in the part that gives it; where none does, in
    the last part. Mend: cut the model again; if it stays so, report it with the output of `headrace doctor`.
    """

    code = "HR335"


class TextsMissingError(ConfigError):
    """There are no texts to compare with.

    The file is empty, cannot be read, or has lines without the text that --text names. Mend: give one text a line, or
    JSON objects and the path of the text in them: --text body. Without a file Headrace has a few sentences of its own.
    """

    code = "HR336"


class TextsOnlyError(ConfigError):
    """The model takes numbers, and only text classifiers are cut into parts.

    A cut is proven by texts of several lengths, which a model of the task tensor does not read. Mend: run it whole;
    more workers of its group share the load.
    """

    code = "HR344"
