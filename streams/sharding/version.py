"""A version of a model in a registry, opened as a worker opens it: whole, or one of its parts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from headrace.core.catalog import Catalog
from headrace.core.registry.manifest import TENSOR, Manifest
from headrace.core.registry.store import Registry
from headrace.core.step import StepContext
from headrace.streams.machine import usable_cores
from headrace.streams.registry_step import registry_step
from headrace.streams.sharding.errors import NotShardedError, ShardedAlreadyError, TextsOnlyError

__all__ = ["SHARDED_FROM", "Version", "opened", "refuse_sharded", "refuse_tensors", "whole_of"]

SHARDED_FROM = "sharded_from"
"""What a manifest's lineage calls the version that was cut."""


class Version(NamedTuple):
    """A version of a model, and the registry that has it."""

    registry: Registry
    manifest: Manifest


@contextmanager
def opened(catalog: Catalog, version: Version, shard: int | None = None) -> Iterator[Any]:
    """Open a model, or one part of it, and close it at the end."""
    step = registry_step(catalog, version.manifest.reference)
    location, threads = version.registry.location, usable_cores()
    try:
        step.open(StepContext(pipeline="tool", name="tool", registry=location, threads=threads, shard=shard))
        yield step
    finally:
        step.close()


def whole_of(sharded: Version, against: str | None = None) -> Version:
    """Return the whole version that a sharded one is to be compared with.

    Args:
        sharded: the version in question.
        against: the whole one, in the same registry; the version that was cut, unless given.

    Raises:
        NotShardedError: HR334, the version in question is whole.
        ShardedAlreadyError: HR333, the other one is not.
        ConfigError: HR301 to HR304, there is no such version.
    """
    registry, manifest = sharded
    if not manifest.shards:
        mend = f"cut it first: headrace model shard {manifest.reference}"
        raise NotShardedError(f"{manifest.reference} is whole; there are no parts to compare", mend=mend)
    whole = registry.resolve(against or manifest.lineage.get(SHARDED_FROM, manifest.name))
    refuse_sharded(whole)
    return Version(registry, whole)


def refuse_tensors(manifest: Manifest) -> None:
    """Refuse a model that reads no texts.

    Raises:
        TextsOnlyError: HR344.
    """
    if manifest.task == TENSOR:
        raise TextsOnlyError(f"{manifest.reference} takes numbers, and is not cut", mend="run it whole")


def refuse_sharded(manifest: Manifest) -> None:
    """Refuse a version that is sharded where a whole one is needed.

    Raises:
        ShardedAlreadyError: HR333.
    """
    if manifest.shards:
        origin = manifest.lineage.get(SHARDED_FROM)
        mend = f"use {origin}" if origin else "name the version that it was cut from"
        raise ShardedAlreadyError(f"{manifest.reference} has {len(manifest.shards)} parts already", mend=mend)
