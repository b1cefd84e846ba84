"""What the sections of a pipeline file are made of."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

__all__ = [
    "STEP_MARK",
    "CodecStep",
    "ModelStep",
    "Name",
    "PostprocessStep",
    "PreprocessStep",
    "RouterStep",
    "Section",
    "SinkStep",
    "SplitterStep",
]

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
STEP_MARK = "x-headrace-step"
"""In the JSON Schema of a section: here stands a step of this kind. `headrace schema` puts in what is installed."""

# Steps as the file writes them; their plugins check them.
CodecStep = Annotated[Any, WithJsonSchema({STEP_MARK: "codec"})]
PreprocessStep = Annotated[Any, WithJsonSchema({STEP_MARK: "preprocess"})]
ModelStep = Annotated[Any, WithJsonSchema({STEP_MARK: "model"})]
RouterStep = Annotated[Any, WithJsonSchema({STEP_MARK: "router"})]
PostprocessStep = Annotated[Any, WithJsonSchema({STEP_MARK: "postprocess"})]
SplitterStep = Annotated[Any, WithJsonSchema({STEP_MARK: "splitter"})]
SinkStep = Annotated[Any, WithJsonSchema({STEP_MARK: "sink"})]


class Section(BaseModel):
    """Base of every section: unknown keys are refused, values are frozen once read."""

    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True)
