"""What can be wrong with a pipeline file; each is reported at its line and column, all of them at once."""

from __future__ import annotations

from headrace.core.errors import ConfigError, Place

__all__ = [
    "BrokerSettingsError",
    "DuplicateKeyError",
    "ExperimentError",
    "ExpressionError",
    "FileUnreadableError",
    "GroupError",
    "InvalidValueError",
    "JoinError",
    "LinkSizeError",
    "MissingKeyError",
    "NotBuiltError",
    "RouteError",
    "SecretInFileError",
    "StepShapeError",
    "TensorInputError",
    "TextPathError",
    "TopicNameError",
    "UnknownExperimentError",
    "UnknownKeyError",
    "UnknownStepError",
    "UnsetVariableError",
    "YamlSyntaxError",
]


class YamlSyntaxError(ConfigError):
    """The file is not YAML 1.2.

    The place is where the parser gave up; the cause often stands a line above (a missing colon, quote or indent).
    Flow characters such as { } [ ] , and the text ${NAME} need quotes inside { }.
    """

    code = "HR101"


class DuplicateKeyError(ConfigError):
    """A key stands twice in one mapping.

    YAML readers usually take the last one silently; which one was meant is anybody's guess. Mend: remove one.
    """

    code = "HR102"


class FileUnreadableError(ConfigError):
    """The pipeline file cannot be read.

    It does not exist, is a folder, is not UTF-8, may not be read, or is too large to be one. Mend: check the path;
    `headrace init DIR` writes a file to start from.
    """

    code = "HR103"


class UnknownKeyError(ConfigError):
    """A key that Headrace, or the step it belongs to, does not know.

    Nothing is ignored silently, because a mistyped option would otherwise do nothing for months. Mend: correct
    the spelling; the message lists what is known there.
    """

    code = "HR104"


class MissingKeyError(ConfigError):
    """A key that must be there is not.

    Mend: add it; docs/pipeline-file.md describes every key.
    """

    code = "HR105"


class InvalidValueError(ConfigError):
    """A value has the wrong type, or lies outside what is allowed.

    The message says what stands there and what may. Durations are written 100ms, 5s, 2m or 1h; sizes 64KiB or 1MiB;
    names match [a-z][a-z0-9-]{0,39}.
    """

    code = "HR106"


class UnknownStepError(ConfigError):
    """No installed plugin brings a step of this kind and name.

    Mend: correct the spelling, or install the distribution that brings it; the message lists what is installed.
    """

    code = "HR108"


class UnsetVariableError(ConfigError):
    """The file reads an environment variable that is not set.

    `"${NAME}"` is replaced by the variable's value; there are no silent defaults. Mend: set it before you start
    Headrace, or write `$${NAME}` if the text itself is meant.
    """

    code = "HR109"


class ExpressionError(ConfigError):
    """A CEL expression cannot be compiled, or names something that a result does not have.

    Expressions are Common Expression Language: `output.label == 'negative' && output.score > 0.9`. Field names are
    those of the result (docs/message-contract.md). CEL never converts: 1 is not '1'.
    """

    code = "HR110"

    def __init__(self, fault: str, *, source: str, mend: str = "", place: Place | None = None) -> None:
        super().__init__(fault, mend=mend, place=place)
        self.source = source


class RouteError(ConfigError):
    """The route does not fit the models.

    Several models need a route, a route needs models, and every model that a router names must stand under
    `models:`. Mend: add the model, or correct its name in the route.
    """

    code = "HR111"


class TopicNameError(ConfigError):
    """A topic name is taken, reserved or not allowed.

    Kafka allows letters, digits, '.', '_' and '-', at most 249. Names that Headrace uses for itself
    (`<pipeline>.dead`, `<pipeline>.control` and so on) are reserved, an output must not be the input, and no two
    outputs share a topic.
    """

    code = "HR112"


class StepShapeError(ConfigError):
    """A step is written in a way that Headrace does not read.

    A step is its name, or one key with its options: `normalise`, or `{labels: {threshold: 0.6}}`.
    """

    code = "HR113"


class TextPathError(ConfigError):
    """The models need a text, and the file does not say where it lies.

    Mend: `input: {text: PATH}` for JSON objects (a dotted path, such as review.body), or `input: {format: text}` when
    the whole message is text.
    """

    code = "HR116"


class ExperimentError(ConfigError):
    """The experiments of the file cannot be run as they are written.

    An experiment needs `input.unit`, two variants, and a weight for one of them. Two that set the same key must share a
    `layer`, or a unit could meet both and nobody could say which counts; in a layer each has a `slice` of its own.
    """

    code = "HR117"


class UnknownExperimentError(ConfigError):
    """The pipeline file has no experiment of that name.

    Mend: correct the name; `headrace experiment list FILE` shows those that there are.
    """

    code = "HR118"


class GroupError(ConfigError):
    """A group names something that the pipeline does not have, or that another group has already.

    `groups: {NAME: {models: [...], stages: [...]}}` puts stages into a process of their own. A model stands for all
    of its stages; single ones are `ingress`, `egress`, and the parts of a sharded model such as `expert.1`.
    `headrace plan` lists them. Mend: correct the name, or name it in one group only.
    """

    code = "HR120"


class LinkSizeError(ConfigError):
    """A single record may be larger than any Kafka message on the way to another process.

    The plan adds up what a record can take: the message, its text, and the tensors of a sharded model for the longest
    text. Mend: lower the model's `max_tokens` or `input.max_bytes`, or let tensors travel as float16.
    """

    code = "HR121"


class BrokerSettingsError(ConfigError):
    """What is said of the broker does not go together, in the file's `broker:` or in HEADRACE_BROKER_….

    `security_protocol` decides: SSL needs no name, SASL_PLAINTEXT and SASL_SSL need `sasl_mechanism`, `sasl_username`
    and a password; keys that would do nothing are refused, since whoever wrote them expects encryption or a login. The
    environment's keys belong to HEADRACE_BROKER: they count only where that names the broker. Mend: what the message
    says; docs/security.md has an example of each.
    """

    code = "HR130"


class SecretInFileError(ConfigError):
    """A password stands in the pipeline file.

    Files are copied, committed and shown; secrets come from the environment or from a file of their own. Mend: write
    `"${NAME}"` and set that variable, or name a file with the key's neighbour that ends in `_file`. Change a
    password that others may have seen.
    """

    code = "HR131"


class JoinError(ConfigError):
    """The answers of models that a route asks at once cannot be joined as the file says.

    An average needs scores for the same labels from every model. A plugin's router says in `joins()` what it may ask
    at once: each model once, how the answers are joined, and no more answers waited for than there are models. Mend:
    join by `vote`, which needs labels only, or correct the router.
    """

    code = "HR122"


class TensorInputError(ConfigError):
    """What the input's codec gives is not what a model takes.

    A model of the task `tensor` takes tensors by name, type and shape: `headrace model show` lists them, and
    `input: {codec: {tensor: {tensors: {NAME: {dtype: …, shape: […]}}}}}` reads them. A model that reads texts needs a
    text, which raw tensors do not have. Tensors of the input travel between processes as they are: not in half
    precision, and not beside those of a sharded model. Mend: as the message says.
    """

    code = "HR123"


class NotBuiltError(ConfigError):
    """The file asks for something that this version of Headrace does not do yet.

    It is refused rather than ignored: a pipeline that runs does what its file says. CHANGELOG.md lists what each
    version brought.
    """

    code = "HR700"
