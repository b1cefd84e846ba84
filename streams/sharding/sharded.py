"""Make a sharded version of a model: cut, measured, compared with the whole, and only then registered."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from headrace.core.catalog import Catalog
from headrace.core.registry.manifest import Manifest
from headrace.core.registry.store import Registry
from headrace.streams.sharding.anatomy import dissect
from headrace.streams.sharding.library import import_onnx, read_graph
from headrace.streams.sharding.parity import compare, refuse_difference
from headrace.streams.sharding.texts import LONG, OWN
from headrace.streams.sharding.version import Version, opened, refuse_sharded, refuse_tensors
from headrace.streams.sharding.workbench import Wish, Workbench

__all__ = ["shard_model"]


def shard_model(
    registry: Registry,
    reference: str,
    wish: Wish,
    catalog: Catalog,
    *,
    alias: str | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Manifest:
    """Cut a model and register the parts as its next version.

    Args:
        registry: has the model, and gets the new version.
        reference: the whole model.
        wish: how it is to be cut.
        catalog: brings the step that runs models.
        alias: moved to the new version, when given.
        tell: told what is being done, a line each.

    Raises:
        ConfigError: HR301 to HR308, HR331 to HR333, HR335, HR344.
        MachineError: HR309, HR330.
    """
    import_onnx()
    whole = registry.resolve(reference)
    refuse_sharded(whole)
    refuse_tensors(whole)
    with tempfile.TemporaryDirectory(prefix="headrace-shard-") as scratch:
        folder, kept = Path(scratch, "scratch"), Path(scratch, "kept")
        folder.mkdir()
        kept.mkdir()
        tell(f"reading {whole.reference}")
        with opened(catalog, Version(registry, whole)) as step:
            ((_, row),) = step.feeds([LONG])
            output = step.output
        model = read_graph(registry.files(whole) / str(whole.graph))
        workbench = Workbench(whole, dissect(model, output), row, folder, tell)
        pieces = workbench.cut(wish)
        source = workbench.source(pieces, wish, registry.files(whole), kept)
        tell("comparing the parts with the whole")
        trial = Registry(str(Path(scratch, "trial")))
        sharded = Version(trial, trial.add(source, whole.name))
        refuse_difference(compare(catalog, Version(registry, whole), sharded, OWN), sharded.manifest)
        return registry.add(source, whole.name, alias=alias)
