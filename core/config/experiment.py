"""The experiments of a pipeline file, as it writes them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from headrace.core.config.section import ModelStep, Name, PostprocessStep, PreprocessStep, RouterStep, Section

__all__ = ["ExperimentFile", "VariantFile", "VariantSet"]

Share = Annotated[float, Field(ge=0, le=1)]
_MOST_WEIGHT = 1e9
"""Far more than anyone can tell apart in ten thousand buckets; without an end their sum could overflow."""


def _given(value: Any) -> Any:
    if value is None:
        raise ValueError("nothing is set here; write what the variant sets, or remove the key")
    return value


Given = BeforeValidator(_given)


class VariantSet(Section):
    """The keys of the file that a variant replaces by its own."""

    preprocess: Annotated[list[PreprocessStep] | None, Given] = Field(
        default=None, description="steps instead of those under `preprocess:`"
    )
    models: Annotated[dict[Name, ModelStep], Given] = Field(
        default={}, description="models instead of those of the same names under `models:`"
    )
    route: Annotated[RouterStep, Given] = Field(default=None, description="the router instead of that under `route:`")
    postprocess: Annotated[list[PostprocessStep] | None, Given] = Field(
        default=None, description="steps instead of those under `postprocess:`"
    )

    def paths(self) -> Iterator[tuple[str, ...]]:
        """Yield what is set, as paths: `("route",)`, `("models", "expert")`."""
        for key in ("preprocess", "models", "route", "postprocess"):
            if key == "models":
                yield from (("models", name) for name in self.models)
            elif getattr(self, key) is not None:
                yield (key,)


class VariantFile(Section):
    """One variant: how many meet it, and what is different for them."""

    weight: float = Field(
        default=1,
        ge=0,
        le=_MOST_WEIGHT,
        description="its part of those enrolled, relative to the weights of the others; with 0 nobody meets it",
    )
    set: VariantSet = Field(default=VariantSet(), description="what it replaces; the control replaces nothing")


class ExperimentFile(Section):
    """One experiment: who takes part, and what each variant changes."""

    variants: dict[Name, VariantFile] = Field(description="two or more, by names of your own; the first is the control")
    coverage: Share = Field(default=1.0, description="share of the units that take part; a change moves no unit")
    segment: str | None = Field(
        default=None,
        description="whom it is about: a CEL expression over value, headers, tags, key and unit of the record",
    )
    seed: str | None = Field(
        default=None, description="what units are hashed with; default: its name; another one splits anew"
    )
    layer: Name | None = Field(
        default=None, description="experiments of one layer share no unit; those that set the same key need one"
    )
    slice: tuple[Share, Share] | None = Field(
        default=None, description="its part of the layer's units, from and to: [0, 0.5]; default: all of them"
    )
    metrics: Any = Field(default=None, description="what is measured; not built yet")
