"""What can be wrong with a registry, a reference to a model in it, or a folder that is to become one."""

from __future__ import annotations

from headrace.core.errors import ConfigError, MachineError

__all__ = [
    "HashMismatchError",
    "InvalidNameError",
    "ManifestUnreadableError",
    "ModelFileMissingError",
    "ModelFolderError",
    "ModelLabelsError",
    "ModelLengthError",
    "ModelReferenceError",
    "RegistryUnreachableError",
    "UnknownModelError",
    "UnknownVersionError",
    "VersionTakenError",
]


class ModelReferenceError(ConfigError):
    """A reference to a model does not say which version is meant.

    A reference is NAME@VERSION or NAME@ALIAS, such as reviews@3 or reviews@prod. A bare name is refused: the newest
    version is rarely the one that was tested. Mend: add @ and one of the versions or aliases that the message lists.
    """

    code = "HR301"


class UnknownModelError(ConfigError):
    """The registry has no model of this name.

    Mend: correct the name, import the model (`headrace model import NAME FOLDER`), or look into another registry:
    HEADRACE_REGISTRY, or `registry:` in the pipeline file. `headrace model list` shows what is there.
    """

    code = "HR302"


class UnknownVersionError(ConfigError):
    """The model has no such version or alias.

    An import that was interrupted leaves a folder without a manifest; that is no version. Mend: use one of the
    versions or aliases that the message lists.
    """

    code = "HR303"


class ManifestUnreadableError(ConfigError):
    """A file of the registry is not what Headrace writes.

    manifest.json or aliases.json was damaged or edited, was copied to another name or version, names files outside
    of its folder, or was written by a newer Headrace. Mend: import the model again as a new version, restore the
    file, or update Headrace if the message names a newer format.
    """

    code = "HR304"


class ModelFileMissingError(ConfigError):
    """A file of a model is not there, or has another size than its manifest says.

    Usually a copy of the registry stopped half-way, or somebody tidied up. Mend: copy the version's folder again,
    or import the model as a new version.
    """

    code = "HR305"


class HashMismatchError(ConfigError):
    """A file of a model is not the one that was imported.

    Its sha256 differs from the manifest's, so the results would not be those of this version. Every worker checks
    this before its first record. Mend: restore the file, or import the changed model as a new version; a version's
    files never change.
    """

    code = "HR306"


class VersionTakenError(ConfigError):
    """The version that an import asks for exists, or another import has begun it.

    Versions never change, because results and experiments refer to them. An import that was killed leaves its
    number taken, without a manifest. Mend: leave --version away to get the next number, or, if no import is
    running, remove the folder that the message names.
    """

    code = "HR307"


class InvalidNameError(ConfigError):
    """A model's name or alias is not one that a reference could hold.

    Both match [a-z][a-z0-9-]{0,39}. An alias does not look like a version (v2), so that reviews@2 and an alias can
    never be mistaken for each other. Mend: choose another name.
    """

    code = "HR308"


class RegistryUnreachableError(MachineError):
    """The registry, or the folder that keeps copies of it, cannot be read or written.

    A folder without permission, a full disk, an object store that does not answer, or a URL whose fsspec driver is
    not installed (s3:// needs s3fs). The message carries what the operating system or the driver said.
    """

    code = "HR309"


class ModelFolderError(ConfigError):
    """The folder to import is not a model that Headrace can run.

    It needs an ONNX graph (model.onnx, or onnx/model.onnx) and, unless it takes numbers (`--task tensor`), a tokenizer
    (tokenizer.json, or the files of a transformers tokenizer). Weights of PyTorch alone do not do: export the model to
    ONNX first. Pickled files are never read nor copied.
    """

    code = "HR310"


class ModelLabelsError(ConfigError):
    """The labels of a model are unknown, double, or not such as one text has exactly one of.

    They are read from id2label in config.json. Mend: give them in the order of the logits, one --label each:
    `--label negative --label positive`.
    """

    code = "HR311"


class ModelLengthError(ConfigError):
    """Nobody says how many tokens the model takes, or more are asked for than it takes.

    The number is read from tokenizer_config.json (model_max_length), config.json (max_position_embeddings) or
    tokenizer.json (truncation). Mend: give it as --max-tokens when importing, or lower max_tokens in the pipeline.
    """

    code = "HR312"
