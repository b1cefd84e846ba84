"""What can be wrong with a model that is opened, or with one of its answers."""

from __future__ import annotations

from headrace.core.errors import ConfigError, MachineError, PluginError, RecordError

__all__ = [
    "BoundaryTensorError",
    "GraphFailedError",
    "GraphInputsError",
    "GraphOutputError",
    "GraphUnreadableError",
    "InputTensorError",
    "ModelLibraryError",
    "ModelMemoryError",
    "NotANumberError",
    "OutputUnknownError",
    "ProviderMissingError",
    "ShardIndexError",
    "TensorsChangedError",
    "TokenizerUnreadableError",
]


class ProviderMissingError(MachineError):
    """An execution provider that the file asks for does not work here.

    The installed onnxruntime lacks it, there is no device or driver, or one of its libraries is not installed; the
    message says which. Mend: install what is missing, or leave `providers` away: Headrace then uses CUDA where it
    works and the processor elsewhere.
    """

    code = "HR320"


class GraphUnreadableError(ConfigError):
    """onnxruntime cannot load the model's graph.

    The file is not ONNX, uses operators or an opset that the installed onnxruntime does not know, or lacks weights
    that lie in a file beside it. Mend: update onnxruntime, or export the model again.
    """

    code = "HR321"


class GraphInputsError(ConfigError):
    """The graph wants inputs that its task does not have, or in a shape that they do not come in.

    A text classifier is fed input_ids, attention_mask and token_type_ids (int64 or int32), [texts, tokens], both of any
    size; a model of the task tensor takes tensors of numbers or booleans, not texts, sequences or maps. Mend: export
    the model for text classification with dynamic axes, or import it with `--task tensor` when it takes numbers.
    """

    code = "HR322"


class GraphOutputError(ConfigError):
    """The graph's output is not what its task answers: one row a record, and with labels one score for each.

    Of a text classifier the output named logits is read, else the first. A graph with a single logit answers for two
    labels (sigmoid). Hidden states, a missing head, or a head with another number of classes end here. Mend: export the
    model with its classification head, or import it with the labels that it has.
    """

    code = "HR323"


class TokenizerUnreadableError(ConfigError):
    """The model's tokenizer cannot be loaded.

    tokenizer.json is damaged or newer than the installed `tokenizers`, or transformers cannot read the folder
    without running code from it, which Headrace never allows. Mend: update, or save the tokenizer again with
    `save_pretrained`.
    """

    code = "HR324"


class NotANumberError(RecordError):
    """The model's answer to a record is not a number.

    NaN is never a result: comparing it is false, so it would slip through every threshold. Usually weights in half
    precision overflow, or the export is broken. The record is a dead letter; the others of its batch are not.
    Mend: export the model in float32, or look at the text.
    """

    code = "HR325"


class InputTensorError(RecordError):
    """A record does not bring a tensor that the model takes, or brings it with another type or shape.

    `headrace check` compares what the input's codec reads with what the model takes; a codec of your own, or an axis of
    any size in the file that the model fixes, lets a record get so far. Nothing is converted or padded. Mend: publish
    what the message asks for, or correct the codec's options.
    """

    code = "HR329"


class OutputUnknownError(ConfigError):
    """The pipeline file asks for an output that the model's graph does not give, or for those of a text classifier.

    `outputs` of the step `onnx` names tensors that results are to tell, of a model of the task tensor;
    `headrace model show` lists them. Mend: correct the name, or leave `outputs` away.
    """

    code = "HR342"


class TensorsChangedError(ConfigError):
    """The graph takes or gives other tensors than its manifest says.

    The manifest is what `check` compares with the pipeline file, so nothing that it says may differ: names, types and
    shapes. The file's hash is right, so the manifest was edited, or written by other means than
    `headrace model import`. Mend: import the model again.
    """

    code = "HR343"


class ModelMemoryError(MachineError):
    """The machine or its GPU has too little memory for a run of the model.

    Mend: lower `micro_batch.records` or `micro_batch.tokens` of the model, or `max_tokens`, or give it more memory.
    """

    code = "HR326"


class GraphFailedError(PluginError):
    """onnxruntime failed while it ran the model.

    The message carries its own words. Mend: if it happens for some texts only, the export is at fault (a shape or
    length fixed by tracing); export the model again with dynamic axes.
    """

    code = "HR327"


class ModelLibraryError(MachineError):
    """A library that runs models cannot be imported.

    onnxruntime and tokenizers come with Headrace; a wheel for another processor or Python, or a half-finished
    installation, breaks them. Mend: reinstall the one that the message names.
    """

    code = "HR328"


class BoundaryTensorError(RecordError):
    """A record comes without a tensor that this part of a sharded model takes, or with another shape or type.

    What travels between two parts is in the model's manifest. Another version's part, or a frame that was not written
    by Headrace, gives something else; nothing is guessed, and the record is a dead letter. Mend: start the workers of
    all parts with the same version, then redrive the dead letters.
    """

    code = "HR337"


class ShardIndexError(ConfigError):
    """A worker is to open a part that the model does not have.

    The plan was made when this version had another number of parts, or none: the registry of this machine is not the
    one that the plan was made with. Mend: give all workers the same registry, and start the pipeline again.
    """

    code = "HR338"
