"""The catalog: every step that the installed plugins bring, found by entry points.

A plugin of a stranger is loaded at once: only then is it known which steps it brings, and whether it is whole. An entry
point of Headrace's own has the name of the one step that it brings, so it is loaded when somebody asks for that step:
a pipeline uses five of fifteen, and each costs a pydantic model.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from importlib.metadata import Distribution, EntryPoint, entry_points
from threading import RLock
from typing import NamedTuple

import pluggy

from headrace.core import hooks
from headrace.core.errors import BrokenPluginError, DuplicateStepError
from headrace.core.options import NoOptions, Options
from headrace.core.step import Factory, Kind, StepSpec

__all__ = ["Catalog", "Plugin", "broken_plugin", "installed_catalog"]

_OWN = "headrace.plugins."


class Plugin(NamedTuple):
    """An entry point that was loaded, or failed to."""

    name: str
    module: str
    distribution: str
    version: str
    fault: str
    """What it raised; empty when all is well."""


class Catalog:
    """The steps by kind and name. Plugins fill it in `headrace_register`; everything else only reads it."""

    def __init__(self) -> None:
        self._specs: dict[tuple[Kind, str], StepSpec] = {}
        self._doubled: dict[tuple[Kind, str], list[str]] = {}
        self._distribution = ""
        self._plugins: list[Plugin] = []
        self._broken: dict[str, str] = {}
        self._waiting: dict[str, EntryPoint] = {}
        self._loading = RLock()  # a version is opened beside the steps' thread, and may ask for a step

    @property
    def plugins(self) -> list[Plugin]:
        """Every entry point, by name."""
        self._load_waiting()
        return sorted(self._plugins, key=lambda plugin: plugin.name)

    @property
    def broken(self) -> dict[str, str]:
        """Entry points that failed: name -> what they raised."""
        self._load_waiting()
        return self._broken

    def codec(self, name: str, factory: Factory, *, options: type[Options] = NoOptions) -> None:
        """Register a step that turns message bytes into a value (protocol `Codec`)."""
        self._add("codec", name, factory, options)

    def splitter(self, name: str, factory: Factory, *, options: type[Options] = NoOptions) -> None:
        """Register a step that splits and tags traffic."""
        self._add("splitter", name, factory, options)

    def preprocess(self, name: str, factory: Factory, *, options: type[Options] = NoOptions) -> None:
        """Register a step that changes records before inference (`Preprocess`, or a function on one record)."""
        self._add("preprocess", name, factory, options)

    def router(self, name: str, factory: Factory, *, options: type[Options] = NoOptions) -> None:
        """Register a step that chooses models (protocol `Router`, or a function on one record)."""
        self._add("router", name, factory, options)

    def model(self, name: str, factory: Factory, *, options: type[Options] = NoOptions) -> None:
        """Register a step that infers (protocol `Model`, or a function on one record)."""
        self._add("model", name, factory, options)

    def postprocess(self, name: str, factory: Factory, *, options: type[Options] = NoOptions) -> None:
        """Register a step that changes outputs (`Postprocess`, or a function on one record)."""
        self._add("postprocess", name, factory, options)

    def sink(self, name: str, factory: Factory, *, options: type[Options] = NoOptions) -> None:
        """Register a step that delivers results (protocol `Sink`); the runtime gives every sink `when`."""
        self._add("sink", name, factory, options)

    def find(self, kind: Kind, name: str) -> StepSpec | None:
        """Return the step, or None when no plugin registered it.

        Raises:
            DuplicateStepError: HR602, two plugins registered it.
        """
        self._load_waiting(name)
        rivals = self._doubled.get((kind, name))
        if rivals:
            raise _doubled(kind, name, rivals)
        return self._specs.get((kind, name))

    def names(self, kind: Kind) -> list[str]:
        """Return the names of one kind, sorted."""
        self._load_waiting()
        return sorted(name for spec_kind, name in self._specs if spec_kind == kind)

    def specs(self) -> list[StepSpec]:
        """Return every step, by kind and name."""
        self._load_waiting()
        return [self._specs[key] for key in sorted(self._specs)]

    def doubled(self) -> list[DuplicateStepError]:
        """Return a problem for each step that several plugins registered, HR602."""
        self._load_waiting()
        return [_doubled(*key, rivals) for key, rivals in sorted(self._doubled.items())]

    def load(self, points: Iterable[EntryPoint]) -> None:
        """Load plugins; a broken one is remembered by name, the others still load."""
        for point in points:
            before = dict(self._specs), {key: [*rivals] for key, rivals in self._doubled.items()}
            try:
                self._load_one(point)
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # noqa: BLE001 - a stranger's module may raise anything at import, or exit
                self._broken[point.name] = f"{type(error).__name__}: {_said(error)}"
                self._specs, self._doubled = before  # half a plugin would work by chance
            distribution, version = _origin(point.dist) if point.dist else (point.value, "")
            fault = self._broken.get(point.name, "")
            self._plugins.append(Plugin(point.name, point.value, distribution, version, fault))

    def offer(self, points: Iterable[EntryPoint]) -> None:
        """Take plugins that bring one step each, with their own name: loaded when it is asked for, or all are."""
        self._waiting.update((point.name, point) for point in points)

    def refuse_broken(self, name: str) -> None:
        """Raise when the plugin of that entry point is broken.

        Raises:
            BrokenPluginError: HR601, with what the plugin raised.
        """
        self._load_waiting(name)
        if name in self._broken:
            raise broken_plugin(name, self._broken[name])

    def _load_waiting(self, name: str | None = None) -> None:
        """Load the plugin of that name if it still waits; all that wait without a name."""
        with self._loading:
            for one in [name] if name is not None else sorted(self._waiting):
                if one in self._waiting:
                    self.load([self._waiting.pop(one)])

    def _load_one(self, point: EntryPoint) -> None:
        manager = pluggy.PluginManager(hooks.PROJECT)
        manager.add_hookspecs(hooks)
        manager.register(point.load(), name=point.name)
        manager.check_pending()
        self._distribution = _origin(point.dist)[0] if point.dist else point.value
        manager.hook.headrace_register(catalog=self)

    def _add(self, kind: Kind, name: str, factory: Factory, options: type[Options]) -> None:
        key = (kind, name)
        spec = StepSpec(kind, name, factory, options, self._distribution)
        if key in self._specs and self._specs[key] != spec:
            self._doubled.setdefault(key, [self._specs[key].distribution]).append(self._distribution)
            return
        self._specs[key] = spec


@cache
def _origin(distribution: Distribution) -> tuple[str, str]:
    """Return name and version; each question of its own would parse all its metadata again."""
    said = distribution.metadata
    return said["Name"], said["Version"]


def broken_plugin(name: str, fault: str) -> BrokenPluginError:
    """Return the problem that a plugin which could not be loaded is, HR601."""
    return BrokenPluginError(f"plugin {name!r} could not be loaded: {fault}", mend="reinstall or update it")


def _doubled(kind: Kind, name: str, rivals: Sequence[str]) -> DuplicateStepError:
    return DuplicateStepError(
        f"{kind} {name!r} is registered by {' and by '.join(sorted(rivals))}", mend="uninstall one of them"
    )


def _said(error: BaseException) -> str:
    try:
        return " ".join(str(error).split())
    except Exception as silent:  # noqa: BLE001 - a stranger's error may not even be able to say what it is
        return f"(it cannot say: {type(silent).__name__})"


@cache
def installed_catalog() -> Catalog:
    """Return the catalog of the plugins installed in this Python, made once."""
    catalog = Catalog()
    points = sorted(entry_points(group=hooks.PROJECT), key=lambda point: point.name)
    catalog.offer(point for point in points if point.value.startswith(_OWN))
    catalog.load(point for point in points if not point.value.startswith(_OWN))
    return catalog
