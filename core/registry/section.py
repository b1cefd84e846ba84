"""What every part of a manifest is made of: frozen, strict, and with paths that stay inside of the model's folder."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

__all__ = ["MANIFEST_FILE", "FilePath", "Section"]

MANIFEST_FILE = "manifest.json"


def _inside(path: str) -> str:
    """A manifest may come from a stranger: no file of it may lie, or be written, outside of its own folder."""
    parts = PurePosixPath(path).parts
    tame = "\\" not in path and "\0" not in path and not PurePosixPath(path).is_absolute()
    if not tame or not parts or ".." in parts or str(PurePosixPath(*parts)) != path or path == MANIFEST_FILE:
        raise ValueError(f"{path!r} is not the path of a file inside the model's folder")
    return path


FilePath = Annotated[str, AfterValidator(_inside)]


class Section(BaseModel):
    """A part of a manifest."""

    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True)
