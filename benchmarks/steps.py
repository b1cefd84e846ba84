"""Built-in steps, for what measures one without a pipeline."""

from __future__ import annotations

from typing import Any

from headrace.core.catalog import installed_catalog
from headrace.core.step import Kind, bind

__all__ = ["built_in"]


def built_in(kind: Kind, name: str, **options: Any) -> Any:
    """Return a step of ours, not opened yet.

    Raises:
        LookupError: there is none of this kind and name.
    """
    spec = installed_catalog().find(kind, name)
    if spec is None:
        raise LookupError(f"no {kind} {name}")
    return bind(spec, spec.options(**options))
