"""The step that runs the models of a registry, for tools that work on models rather than on pipelines."""

from __future__ import annotations

from typing import Any

from headrace.core.catalog import Catalog
from headrace.core.config.errors import UnknownStepError
from headrace.core.step import bind

__all__ = ["registry_step"]


def registry_step(catalog: Catalog, reference: str) -> Any:
    """Return the step `onnx` bound to a model; it is not opened yet.

    Raises:
        UnknownStepError: HR219, nothing registered it.
    """
    spec = catalog.find("model", "onnx")
    if spec is None:
        catalog.refuse_broken("onnx")
        raise UnknownStepError("no model step named 'onnx'", mend="reinstall headrace")
    return bind(spec, spec.options.model_validate({"model": reference}))
