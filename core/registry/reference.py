"""How a model is named: NAME@VERSION or NAME@ALIAS."""

from __future__ import annotations

import re
from typing import NamedTuple

from headrace.core.registry.errors import InvalidNameError, ModelReferenceError

__all__ = ["NAME_PATTERN", "Reference", "check_alias", "check_name", "parse_reference"]

NAME_PATTERN = r"^[a-z][a-z0-9-]{0,39}$"
_NAME = re.compile(NAME_PATTERN)
_ALIAS = re.compile(r"(?!v?[0-9]+$)[a-z][a-z0-9-]{0,39}")
_VERSION = re.compile(r"[1-9][0-9]{0,8}")


class Reference(NamedTuple):
    """A model's name and what is wanted of it; `wanted` is a version or an alias, empty when neither was said."""

    name: str
    wanted: str

    @property
    def version(self) -> int | None:
        """The version, when it was named by number."""
        return int(self.wanted) if _VERSION.fullmatch(self.wanted) else None

    def __str__(self) -> str:
        return f"{self.name}@{self.wanted}" if self.wanted else self.name


def parse_reference(text: str) -> Reference:
    """Return the parts of a reference.

    Raises:
        ModelReferenceError: HR301, it has no form that any registry could answer.
    """
    name, at, wanted = text.partition("@")
    if not _NAME.fullmatch(name) or (at and not (_VERSION.fullmatch(wanted) or _NAME.fullmatch(wanted))):
        raise ModelReferenceError(
            f"{text!r} is not a reference to a model", mend="write NAME@VERSION or NAME@ALIAS, such as reviews@1"
        )
    return Reference(name, wanted)


def check_name(name: str) -> None:
    """Refuse a name that no reference could hold.

    Raises:
        InvalidNameError: HR308.
    """
    if not _NAME.fullmatch(name):
        raise InvalidNameError(
            f"{name!r} cannot name a model",
            mend="use at most 40 lower-case letters, digits and '-', a letter first, such as reviews",
        )


def check_alias(alias: str) -> None:
    """Refuse an alias that no reference could hold, or that looks like a version.

    Raises:
        InvalidNameError: HR308.
    """
    if not _ALIAS.fullmatch(alias):
        raise InvalidNameError(
            f"{alias!r} cannot be an alias",
            mend="use lower-case letters, digits and '-', a letter first, and nothing like v2; such as prod",
        )
