"""From a step as the file writes it to a step with checked options."""

from __future__ import annotations

from typing import Any, NamedTuple

from pydantic import ValidationError

from headrace.core.catalog import Catalog
from headrace.core.config.document import Document, Path_
from headrace.core.config.errors import ExpressionError, StepShapeError, UnknownStepError
from headrace.core.config.problem import problems_of
from headrace.core.config.suggestion import suggest
from headrace.core.errors import HeadraceError, Place, ProblemsError
from headrace.core.plan.plan import StepPlan
from headrace.core.step import Kind

__all__ = ["StepReader"]


class _Written(NamedTuple):
    """A step as it stands in the file: its name and where that stands, its raw options and where those stand."""

    name: str
    place: Place
    options: dict[str, Any]
    path: Path_


class StepReader:
    """Reads the steps of one document; what is wrong with them goes to the document's problems."""

    def __init__(self, document: Document, catalog: Catalog) -> None:
        self._document, self._catalog = document, catalog

    def read_all(self, kind: Kind, *path: str | int) -> tuple[StepPlan, ...]:
        """Return the steps of a list; what is no list is the envelope's problem."""
        raw = self._document.get(*path)
        count = len(raw) if isinstance(raw, list) else 0
        steps = (self.read(kind, (*path, index)) for index in range(count))
        return tuple(step for step in steps if step is not None)

    def read(self, kind: Kind, path: Path_, *, name: str | None = None) -> StepPlan | None:
        """Return the step at the path, or None when something is wrong with it.

        Args:
            kind: what the place in the file is for.
            path: where the step stands.
            name: the name that the step has in the plan, when it is not the plugin's.
        """
        try:
            written = self._written(path)
            step = self._checked(kind, written, name)
            step.bind()  # a constructor that fails shall do so here, at its place, not when the pipeline starts
        except HeadraceError as error:
            for problem in error.problems if isinstance(error, ProblemsError) else (error,):
                problem.place = problem.place or self._place_of(problem, path)
                self._document.problems.append(problem)
        except ValidationError as error:
            spec = self._catalog.find(kind, written.name)
            if spec is not None:
                self._document.problems.extend(problems_of(error, spec.options, self._document, written.path))
        else:
            return step
        return None

    def default(self, kind: Kind, name: str, place: Place, options: dict[str, Any] | None = None) -> StepPlan | None:
        """Return a step that the file does not write but means; None when no plugin brings it."""
        spec = self._catalog.find(kind, name)
        if spec is None:
            self._document.problems.append(
                UnknownStepError(f"no {kind} step named {name!r}", mend="reinstall headrace", place=place)
            )
            return None
        return StepPlan(name, spec, spec.options.model_validate(options or {}), place)

    def _written(self, path: Path_) -> _Written:
        raw = self._document.get(*path)
        if isinstance(raw, str):
            return _Written(raw, self._document.place(path), {}, path)
        if isinstance(raw, dict) and len(raw) == 1:
            name, options = next(iter(raw.items()))
            if options is None or isinstance(options, dict):
                inner = (*path, name)
                return _Written(name, self._document.key_place(inner), options or {}, inner)
        raise StepShapeError(
            "this is not a step", mend="write its name, or one key with its options: {labels: {threshold: 0.6}}"
        )

    def _checked(self, kind: Kind, written: _Written, name: str | None) -> StepPlan:
        spec = self._catalog.find(kind, written.name)
        if spec is None:
            self._catalog.refuse_broken(written.name)
            raise UnknownStepError(
                f"no {kind} step named {written.name!r}{self._broken()}",
                mend=suggest(written.name, self._catalog.names(kind), "installed"),
                place=written.place,
            )
        options = spec.options.model_validate(written.options)
        return StepPlan(name or written.name, spec, options, written.place)

    def _place_of(self, error: HeadraceError, path: Path_) -> Place:
        """Return where the expression that an option holds stands, else where the step does."""
        found = self._document.find(error.source, path) if isinstance(error, ExpressionError) else None
        return found or self._document.place(path)

    def _broken(self) -> str:
        names = ", ".join(sorted(self._catalog.broken))
        return f" (plugins that could not be loaded: {names}; `headrace plugins check` says why)" if names else ""
