"""A YAML 1.2 file as plain values, with the line and column of every key and value.

Values are built from ruamel.yaml's node tree by the core schema (`no` is text, times and dates are text), since a
finished mapping has forgotten its places and its duplicate keys.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from headrace.core.config.errors import (
    DuplicateKeyError,
    FileUnreadableError,
    InvalidValueError,
    UnsetVariableError,
    YamlSyntaxError,
)
from headrace.core.errors import HeadraceError, Place

__all__ = ["Document", "Path_", "read_document"]

Path_ = tuple[str | int, ...]
"""The keys and indices that lead to a value."""

_VARIABLE = re.compile(r"(\$?)\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_TAG = "tag:yaml.org,2002:"
_SCHEMA = ("null", "bool", "int", "float", "str", "seq", "map", "timestamp", "merge", "value")
_PLAIN_TAGS = frozenset(_TAG + name for name in _SCHEMA)
_MAX_BYTES = 1 << 20
_MAX_DEPTH = 40
_MAX_VALUES = 50_000
"""Aliases of aliases grow a small file without bound; no pipeline is near this."""


class Document:
    """A file's value, the place of everything in it, and the problems that reading it showed."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.value: Any = None
        self.problems: list[HeadraceError] = []
        self._values: dict[Path_, Place] = {}
        self._keys: dict[Path_, Place] = {}
        self._from_environment: dict[Path_, bool] = {}

    def place(self, path: Path_) -> Place:
        """Return where the value at the path stands; the nearest thing around it when it is not there."""
        return self._nearest(self._values, path)

    def key_place(self, path: Path_) -> Place:
        """Return where the key at the path stands; for a list item, the item."""
        return self._keys.get(path) or self.place(path)

    def get(self, *path: str | int) -> Any:
        """Return the value at the path; None when nothing is there."""
        value = self.value
        for key in path:
            try:
                value = value[key]
            except (KeyError, IndexError, TypeError):
                return None
        return value

    def is_from_environment(self, path: Path_, *, wholly: bool = False) -> bool:
        """Return whether the environment gave the value at the path, or a part of it; it may be a secret."""
        return path in self._from_environment and (self._from_environment[path] or not wholly)

    def find(self, value: Any, under: Path_) -> Place | None:
        """Return where a value first stands below a path; None when it does not."""
        places = ((path, place) for path, place in self._values.items() if path[: len(under)] == under)
        return next((place for path, place in places if self.get(*path) == value), None)

    def _nearest(self, places: Mapping[Path_, Place], path: Path_) -> Place:
        while path not in places and path:
            path = path[:-1]
        return places.get(path, Place(self.file))


def read_document(file: Path, environ: Mapping[str, str]) -> Document:
    """Return the document of a file; what is wrong inside it is in its `problems`.

    Raises:
        FileUnreadableError: HR103, it does not exist, is a folder or is not UTF-8.
        YamlSyntaxError: HR101, it is not YAML.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    document = Document(str(file))
    text = _read(file)
    yaml = YAML(typ="safe", pure=True)  # the same nodes as "rt", in three quarters of the time: comments are let go
    yaml.composer.warn_double_anchors = False  # YAML 1.2 allows it: an alias means the latest anchor
    try:
        root = yaml.compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(str(file), mark.line + 1, mark.column + 1) if mark else Place(str(file))
        raise YamlSyntaxError(
            f"not YAML: {error.problem or error.context}", mend="look at this line and the one above", place=place
        ) from None
    except (YAMLError, ValueError, RecursionError) as error:
        fault = " ".join(str(error).split())
        raise YamlSyntaxError(f"not YAML: {fault}", mend="write plain YAML 1.2", place=Place(str(file))) from None
    if root is not None:
        document.value = _Builder(document, environ).build(root, ())
    return document


def _read(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            data = stream.read(_MAX_BYTES + 1)
        if len(data) > _MAX_BYTES:
            raise FileUnreadableError(
                f"{str(file)!r} has more than {_MAX_BYTES:,} bytes", mend="name a pipeline file, not its data"
            )
        return data.decode("utf-8-sig")
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise FileUnreadableError(
            f"cannot read {str(file)!r}: {reason}",
            mend="check the path, or write one with `headrace init DIR`",
        ) from None
    except UnicodeDecodeError as error:
        raise FileUnreadableError(
            f"{str(file)!r} is not UTF-8 at byte {error.start}", mend="save it as UTF-8"
        ) from None


class _Builder:
    """Turns nodes into values and notes where each one stood."""

    def __init__(self, document: Document, environ: Mapping[str, str]) -> None:
        self._document, self._environ = document, environ
        self._count = 0
        self._open: list[Any] = []  # the mappings and lists that we are inside of
        self._scalars: dict[str, Callable[[str], Any]] = {
            "null": lambda text: None,
            "bool": lambda text: text.lower() == "true",
            "int": _integer,
            "float": _real,
        }

    def build(self, node: Any, path: Path_) -> Any:
        place = self._place(node)
        self._document._values[path] = place
        self._count += 1
        if self._is_endless(node, path, place):
            return None
        self._refuse_tag(str(node.tag), place)
        kind = type(node).__name__
        if kind == "ScalarNode":
            return self._scalar(node, path, place)
        self._open.append(node)
        built = self._mapping(node, path) if kind == "MappingNode" else self._sequence(node, path)
        self._open.pop()
        return built

    def _is_endless(self, node: Any, path: Path_, place: Place) -> bool:
        """Whether following this node leads nowhere; said once, since its neighbours usually lead there too."""
        if any(node is around for around in self._open):
            self._refuse("an alias stands inside the value that it means", "write the value out", place)
        elif len(path) > _MAX_DEPTH:
            self._refuse("nested too deeply", f"keep it under {_MAX_DEPTH} levels", place)
        elif self._count > _MAX_VALUES:
            if self._count == _MAX_VALUES + 1:
                self._refuse(f"the file holds more than {_MAX_VALUES:,} values", "use fewer aliases", place)
        else:
            return False
        return True

    def _refuse_tag(self, tag: str, place: Place) -> None:
        if tag not in _PLAIN_TAGS:
            shown = tag.replace(_TAG, "!!")
            self._refuse(f"tag {shown!r} is not read here", "write a plain value", place)

    def _refuse(self, fault: str, mend: str, place: Place) -> None:
        self._document.problems.append(InvalidValueError(fault, mend=mend, place=place))

    def _sequence(self, node: Any, path: Path_) -> list[Any]:
        return [self.build(item, (*path, index)) for index, item in enumerate(node.value)]

    def _mapping(self, node: Any, path: Path_) -> dict[str, Any]:
        built: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value) if isinstance(key_node.value, str) else "?"
            place = self._place(key_node)
            if key in built:
                self._document.problems.append(
                    DuplicateKeyError(
                        f"key {key!r} stands here and on line {self._document.key_place((*path, key)).line}",
                        mend="remove one of them",
                        place=place,
                    )
                )
                continue
            self._document._keys[(*path, key)] = place
            built[key] = self.build(value_node, (*path, key))
        return built

    def _scalar(self, node: Any, path: Path_, place: Place) -> Any:
        kind = str(node.tag).removeprefix(_TAG)
        if kind in self._scalars:
            return self._scalars[kind](node.value)
        if any(not match[1] for match in _VARIABLE.finditer(node.value)):
            self._document._from_environment[path] = not _VARIABLE.sub("", node.value)
        return _VARIABLE.sub(lambda match: self._variable(match, place), node.value)

    def _variable(self, match: re.Match[str], place: Place) -> str:
        escaped, name = match.groups()
        if escaped:
            return match.group(0)[1:]
        if name not in self._environ:
            self._document.problems.append(
                UnsetVariableError(f"environment variable {name} is not set", mend=f"set {name}", place=place)
            )
        return self._environ.get(name, "")

    def _place(self, node: Any) -> Place:
        mark = node.start_mark
        return Place(self._document.file, mark.line + 1, mark.column + 1)


def _integer(text: str) -> Any:
    for base in (10, 0):
        try:
            return int(text.replace("_", ""), base)
        except ValueError:
            continue
    return text


def _real(text: str) -> Any:
    try:
        return float(text.replace("_", "").replace(".inf", "inf").replace(".nan", "nan").replace(".NaN", "nan"))
    except ValueError:
        return text
