"""The registry: finds models by reference, keeps their versions apart, and never shows half of one."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from headrace.core.config.suggestion import suggest
from headrace.core.errors import HeadraceError
from headrace.core.registry.cache import cached_folder, default_cache
from headrace.core.registry.digest import check_sizes, describe_file, verify_hashes
from headrace.core.registry.errors import (
    ManifestUnreadableError,
    ModelReferenceError,
    UnknownModelError,
    UnknownVersionError,
    VersionTakenError,
)
from headrace.core.registry.folder import ModelSource
from headrace.core.registry.local import LocalStorage
from headrace.core.registry.location import open_storage
from headrace.core.registry.manifest import MANIFEST_FILE, TENSOR, Manifest, decode_manifest, encode_manifest
from headrace.core.registry.reference import Reference, check_alias, check_name, parse_reference
from headrace.core.registry.storage import translated

__all__ = ["Listed", "Registry"]

_ALIASES_FILE = "aliases.json"


@dataclass(frozen=True)
class Listed:
    """A version as the registry lists it: its manifest, or why that cannot be read."""

    name: str
    version: int
    aliases: tuple[str, ...]
    manifest: Manifest | None
    problem: HeadraceError | None = None


class Registry:
    """Models in a folder or object store: `<name>/<version>/manifest.json` and files, `<name>/aliases.json`."""

    def __init__(self, location: str, *, cache: Path | None = None, clock: Callable[[], float] = time.time) -> None:
        """Open a registry; nothing is read yet.

        Args:
            location: a folder, or a URL that fsspec has a driver for.
            cache: where copies of remote models go; `default_cache()` unless given.
            clock: seconds since 1970, for the manifests' `created`.

        Raises:
            RegistryUnreachableError: HR309, no driver for the URL.
        """
        self._storage = open_storage(location)
        self._cache, self._clock = cache, clock

    @property
    def location(self) -> str:
        """Where it lies, as people should read it."""
        return self._storage.location

    def resolve(self, reference: str) -> Manifest:
        """Return the manifest of NAME@VERSION or NAME@ALIAS.

        Raises:
            ModelReferenceError: HR301, no reference, or one without version or alias.
            UnknownModelError: HR302.
            UnknownVersionError: HR303.
            ManifestUnreadableError: HR304.
        """
        wanted = parse_reference(reference)
        version = wanted.version if wanted.version is not None else self.aliases(wanted.name).get(wanted.wanted)
        manifest = self._manifest(wanted.name, version) if version is not None else None
        if manifest is None:
            raise self._unknown(wanted)
        return manifest

    def check(self, manifest: Manifest) -> None:
        """Refuse a model with a file that is missing or has another size; no file is read.

        Raises:
            ModelFileMissingError: HR305.
        """
        check_sizes(self._storage, _folder(manifest), manifest)

    def verify(self, manifest: Manifest) -> None:
        """Refuse a model with a file that is not the imported one; every byte is read.

        Raises:
            ModelFileMissingError: HR305.
            HashMismatchError: HR306.
        """
        verify_hashes(self._storage, _folder(manifest), manifest)

    def files(self, manifest: Manifest) -> Path:
        """Return a folder of this machine with the model's files, verified: in place, or a copy of a remote one.

        Of a manifest that was narrowed to a part (`manifest.part`), only that part's files are read or copied.

        Raises:
            ModelFileMissingError: HR305.
            HashMismatchError: HR306.
        """
        if isinstance(self._storage, LocalStorage):
            self.verify(manifest)
            return self._storage.root / _folder(manifest)
        return cached_folder(self._storage, _folder(manifest), manifest, self._cache or default_cache())

    def list(self) -> tuple[Listed, ...]:
        """Return every finished version, by name and number; a damaged one is listed with what is wrong."""
        names = sorted(name for name in self._storage.folders("") if not name.startswith("."))
        return tuple(listed for name in names for listed in self._listed(name))

    def aliases(self, name: str) -> Mapping[str, int]:
        """Return what each alias of a model means; none when there is no such model.

        Raises:
            ManifestUnreadableError: HR304.
        """
        data = self._storage.read(f"{name}/{_ALIASES_FILE}")
        try:
            value: Any = {} if data is None else json.loads(data)
        except ValueError:
            value = None
        if not isinstance(value, dict) or not all(isinstance(version, int) for version in value.values()):
            raise ManifestUnreadableError(
                f"{self.location}/{name}/{_ALIASES_FILE} is damaged",
                mend='restore it: one JSON object such as {"prod": 1}',
            )
        return value

    def next_version(self, name: str) -> int:
        """Return the number that an import would get now."""
        return max(self._numbers(name), default=0) + 1

    def add(self, source: ModelSource, name: str, *, version: int | None = None, alias: str | None = None) -> Manifest:
        """Register a model and return its manifest. It resolves only once everything is there.

        Args:
            source: what to register.
            name: the model's name.
            version: its number; the next free one unless given.
            alias: moved to the new version, when given.

        Raises:
            InvalidNameError: HR308.
            VersionTakenError: HR307, the given version exists or was begun by another import.
            RegistryUnreachableError: HR309; nothing of the version is left.
        """
        check_name(name)
        if alias is not None:
            check_alias(alias)
            self.aliases(name)  # damaged ones are to be found before the copying, not after it
        claimed = self._claim(name, version)
        try:
            manifest = self._manifest_of(source, name, claimed)
            for path in manifest.files:
                self._storage.upload(source.folder / path, f"{name}/{claimed}/{path}")
            self._storage.write(f"{name}/{claimed}/{MANIFEST_FILE}", encode_manifest(manifest))
        except BaseException:
            with suppress(HeadraceError):  # the first error is the one to be told
                self._storage.remove(f"{name}/{claimed}")
            raise
        if alias is not None:
            self.set_alias(name, alias, claimed)
        return manifest

    def set_alias(self, name: str, alias: str, version: int) -> None:
        """Let an alias mean a version from now on.

        Raises:
            InvalidNameError: HR308.
            ManifestUnreadableError: HR304, the aliases there are cannot be read.
        """
        check_alias(alias)
        with self._storage.lock(name):
            aliases = {**self.aliases(name), alias: version}
            data = json.dumps(aliases, indent=2, sort_keys=True) + "\n"
            self._storage.write(f"{name}/{_ALIASES_FILE}", data.encode())

    def _claim(self, name: str, version: int | None) -> int:
        if version is not None:
            if not self._storage.claim(f"{name}/{version}"):
                raise self._taken(name, version)
            return version
        version = self.next_version(name)
        while not self._storage.claim(f"{name}/{version}"):
            version += 1
        return version

    def _taken(self, name: str, version: int) -> VersionTakenError:
        place = f"{self.location}/{name}/{version}"
        if self._storage.read(f"{name}/{version}/{MANIFEST_FILE}") is None:
            mend = f"leave --version away; or, if no import is running, remove {place}"
            return VersionTakenError(f"{name}@{version} was begun by another import and is not finished", mend=mend)
        mend = f"leave --version away to make it {name}@{self.next_version(name)}"
        return VersionTakenError(f"{name}@{version} exists", mend=mend)

    def _manifest_of(self, source: ModelSource, name: str, version: int) -> Manifest:
        with translated(f"read the model in {source.folder}"):
            files = {path: describe_file(source.folder / path) for path in source.files}
        return Manifest(
            format=3 if source.task == TENSOR else 2 if source.shards else 1,
            name=name,
            version=version,
            task=source.task,
            graph=source.graph,
            tokenizer=source.tokenizer,
            inputs=source.inputs,
            labels=source.labels,
            max_tokens=source.max_tokens,
            batch_invariant=source.batch_invariant,
            files=files,
            shards=source.shards or None,
            takes=source.takes,
            gives=source.gives,
            scores=source.scores,
            lineage=dict(source.lineage),
            created=f"{datetime.fromtimestamp(self._clock(), UTC):%Y-%m-%dT%H:%M:%SZ}",
        )

    def _manifest(self, name: str, version: int) -> Manifest | None:
        data = self._storage.read(f"{name}/{version}/{MANIFEST_FILE}")
        return None if data is None else decode_manifest(data, name=name, version=version)

    def _numbers(self, name: str) -> tuple[int, ...]:
        """Return every number that is taken, also by imports that are not finished."""
        folders = (folder for folder in self._storage.folders(name) if Reference(name, folder).version is not None)
        return tuple(sorted(int(folder) for folder in folders))

    def _versions(self, name: str) -> tuple[int, ...]:
        paths = {version: f"{name}/{version}/{MANIFEST_FILE}" for version in self._numbers(name)}
        return tuple(version for version, path in paths.items() if self._storage.size(path) is not None)

    def _listed(self, name: str) -> tuple[Listed, ...]:
        try:
            aliases = self.aliases(name)
        except HeadraceError:  # the versions are still there to be seen; resolving an alias will say what is wrong
            aliases = {}
        return tuple(self._listed_version(name, version, aliases) for version in self._versions(name))

    def _listed_version(self, name: str, version: int, aliases: Mapping[str, int]) -> Listed:
        own = tuple(sorted(alias for alias, target in aliases.items() if target == version))
        try:
            return Listed(name, version, own, self._manifest(name, version))
        except HeadraceError as problem:
            return Listed(name, version, own, None, problem)

    def _unknown(self, wanted: Reference) -> HeadraceError:
        versions = self._versions(wanted.name)
        if not versions:
            names = [name for name in self._storage.folders("") if self._versions(name)]
            mend = suggest(wanted.name, names, "models") if names else "import one: headrace model import NAME FOLDER"
            return UnknownModelError(f"the registry {self.location} has no model {wanted.name!r}", mend=mend)
        aliases = self.aliases(wanted.name)
        known = f"versions: {', '.join(map(str, versions))}"
        known += f"; aliases: {', '.join(sorted(aliases))}" if aliases else "; no aliases"
        if not wanted.wanted:
            example = f"{wanted.name}@{versions[-1]}"
            return ModelReferenceError(f"{wanted.name!r} names no version", mend=f"write {example}; {known}")
        if wanted.wanted in aliases:
            gone = f"{wanted.name}@{aliases[wanted.wanted]}"
            return UnknownVersionError(f"{wanted} means {gone}, which the registry does not have", mend=known)
        nearest = suggest(wanted.wanted, aliases) if aliases else ""
        meant = f"{nearest} " if nearest.startswith("did you mean") else ""
        return UnknownVersionError(f"the registry has no {wanted}", mend=meant + known)


def _folder(manifest: Manifest) -> str:
    return f"{manifest.name}/{manifest.version}"
