"""Rename the labels of a classifier, and say `unsure` where its score is too low."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field, model_validator

from headrace import Catalog, Options, Record, hookimpl

__all__ = ["LabelsOptions", "headrace_register", "labels"]


class LabelsOptions(Options):
    """What a pipeline file may say of `labels`."""

    rename: dict[str, str] = Field(
        default={},
        description="label of the model -> label of the result ({LABEL_0: negative}); labels renamed alike become one "
        "whose score is their sum",
    )
    threshold: float | None = Field(
        default=None, gt=0, le=1, description="least score at which a label stands; without it every label does"
    )
    otherwise: str = Field(
        default="unsure",
        min_length=1,
        description="label of a result below the threshold; the label that it would have had is kept as `top`",
    )

    @model_validator(mode="after")
    def _does_something(self) -> LabelsOptions:
        if self.threshold is None and "otherwise" in self.model_fields_set:
            raise ValueError("otherwise has no threshold; add threshold: 0.6")
        if self.threshold is None and not self.rename:
            raise ValueError("labels has nothing to do; add threshold: 0.6, or rename: {LABEL_0: negative}")
        return self


def labels(record: Record, options: LabelsOptions) -> Record:
    """Return the record with its label renamed, and replaced when its score is below the threshold.

    Below the threshold `label` is `otherwise`, `top` the label that lost its place, and `score` still the score of
    that one; `scores` are never touched but by renaming. An output without a label stays as it is.
    """
    if record.output is None or "label" not in record.output:
        return record
    output = _renamed(record.output, options.rename) if options.rename else record.output
    score = output.get("score")
    if options.threshold is not None and score is not None and score < options.threshold:
        output = {**output, "label": options.otherwise, "top": output["label"]}
    return record if output is record.output else record.with_output(output)


def _renamed(output: Mapping[str, Any], names: Mapping[str, str]) -> Mapping[str, Any]:
    label = output["label"]
    renamed = {**output, "label": names.get(label, label)}
    if isinstance(given := output.get("scores"), Mapping):
        scores: dict[str, float] = {}
        for name, score in given.items():
            new = names.get(name, name)
            scores[new] = scores.get(new, 0.0) + score
        renamed["scores"] = scores
        if len(scores) < len(given):  # labels have become one, and together they may outweigh the one that led
            renamed["label"] = max(scores, key=scores.__getitem__)
            renamed["score"] = scores[renamed["label"]]
    return renamed


@hookimpl
def headrace_register(catalog: Catalog) -> None:
    """Register the step `labels`."""
    catalog.postprocess("labels", labels, options=LabelsOptions)
