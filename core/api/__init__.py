"""Headrace: transformer inference on event streams. This is the public interface for plugin authors.

Names load when first used, so that `import headrace` costs nothing and the command line starts fast.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from headrace.version import VERSION

if TYPE_CHECKING:
    from headrace.core.catalog import Catalog
    from headrace.core.errors import (
        BrokerError,
        ConfigError,
        HeadraceError,
        MachineError,
        Place,
        PluginError,
        RecordError,
        TransientError,
    )
    from headrace.core.experiments.experiment import Assigned, Experiment
    from headrace.core.hooks import hookimpl
    from headrace.core.options import NoOptions, Options, SinkOptions
    from headrace.core.record import Batch, Content, Message, Outgoing, Output, Position, Record
    from headrace.core.routing.decision import Candidate, Decision
    from headrace.core.schema.shape import MessageShape
    from headrace.core.step import (
        Codec,
        Model,
        ModelFacts,
        Opens,
        Part,
        Postprocess,
        Preprocess,
        Result,
        Router,
        ShardFacts,
        Sink,
        Splitter,
        StepContext,
        Warms,
    )
    from headrace.core.tensor import TensorSpec

__version__ = VERSION

__all__ = [
    "Assigned",
    "Batch",
    "BrokerError",
    "Candidate",
    "Catalog",
    "Codec",
    "ConfigError",
    "Content",
    "Decision",
    "Experiment",
    "HeadraceError",
    "MachineError",
    "Message",
    "MessageShape",
    "Model",
    "ModelFacts",
    "NoOptions",
    "Opens",
    "Options",
    "Outgoing",
    "Output",
    "Part",
    "Place",
    "PluginError",
    "Position",
    "Postprocess",
    "Preprocess",
    "Record",
    "RecordError",
    "Result",
    "Router",
    "ShardFacts",
    "Sink",
    "SinkOptions",
    "Splitter",
    "StepContext",
    "TensorSpec",
    "TransientError",
    "Warms",
    "__version__",
    "hookimpl",
]

_HOMES = {
    "headrace.core.catalog": ("Catalog",),
    "headrace.core.errors": (
        "BrokerError",
        "ConfigError",
        "HeadraceError",
        "MachineError",
        "Place",
        "PluginError",
        "RecordError",
        "TransientError",
    ),
    "headrace.core.experiments.experiment": ("Assigned", "Experiment"),
    "headrace.core.hooks": ("hookimpl",),
    "headrace.core.options": ("NoOptions", "Options", "SinkOptions"),
    "headrace.core.record": ("Batch", "Content", "Message", "Outgoing", "Output", "Position", "Record"),
    "headrace.core.routing.decision": ("Candidate", "Decision"),
    "headrace.core.schema.shape": ("MessageShape",),
    "headrace.core.step": (
        "Codec",
        "Model",
        "ModelFacts",
        "Opens",
        "Part",
        "Postprocess",
        "Preprocess",
        "Result",
        "Router",
        "ShardFacts",
        "Sink",
        "Splitter",
        "StepContext",
        "Warms",
    ),
    "headrace.core.tensor": ("TensorSpec",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'headrace' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return __all__
