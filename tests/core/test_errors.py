"""Every error that a user can meet has a code of its own and says what it is."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections import Counter
from types import ModuleType

import headrace.core
import headrace.plugins
import headrace.streams
from headrace.core import errors as tree
from headrace.core.errors import HeadraceError, Place, ProblemsError

# What a leaf hangs on; and the bundle of leaves, which has no code of its own.
BRANCHES = (
    tree.ConfigError,
    tree.PluginError,
    tree.BrokerError,
    tree.MachineError,
    tree.RecordError,
    tree.TransientError,
)
NO_LEAVES = {HeadraceError, ProblemsError, *BRANCHES}


def error_modules() -> list[ModuleType]:
    """Return the modules named `errors`, wherever they lie."""
    names = {
        found.name
        for package in (headrace.core, headrace.plugins, headrace.streams)
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
        if found.name.endswith(".errors")
    }
    return [importlib.import_module(name) for name in sorted(names)]


def leaves() -> list[type[HeadraceError]]:
    """Return the error classes that those modules define and nobody derives from; branches are none."""
    defined = [
        one
        for module in error_modules()
        for _, one in inspect.getmembers(module, inspect.isclass)
        if issubclass(one, HeadraceError) and one.__module__ == module.__name__
    ]
    return [one for one in defined if one not in NO_LEAVES and not one.__subclasses__()]


def test_the_search_finds_the_leaves() -> None:
    # Without this, a search that finds nothing would let every other test here pass.
    found = {one.__name__ for one in leaves()}
    assert {"YamlSyntaxError", "JavaMissingError", "FolderError", "BrokenPluginError"} <= found


def test_every_leaf_has_a_code_of_its_own() -> None:
    codes = Counter(one.code for one in leaves())
    assert [code for code, times in codes.items() if times > 1] == []
    assert [one.__name__ for one in leaves() if not re.fullmatch(r"HR\d{3}", one.code)] == []


def test_every_leaf_explains_itself_in_a_fact_and_a_body() -> None:
    poor = []
    for one in leaves():
        fact, _, body = (inspect.cleandoc(one.__dict__.get("__doc__") or "")).partition("\n\n")
        if not fact.endswith(".") or "\n" in fact or not body:
            poor.append(one.__name__)
    assert poor == []


def test_every_leaf_ends_in_error_and_hangs_on_a_branch() -> None:
    assert [one.__name__ for one in leaves() if not one.__name__.endswith("Error")] == []
    # HR999 is the one that nobody foresaw, so nobody can be named who mends it.
    assert [one.__name__ for one in leaves() if not issubclass(one, BRANCHES) and one.code != "HR999"] == []


def test_an_error_prints_place_code_fault_and_mend_in_one_line() -> None:
    class PlantedError(HeadraceError):
        code = "HR000"

    assert (
        str(PlantedError("it broke", mend="mend it", place=Place("a.yaml", 3, 7)))
        == "a.yaml:3:7 HR000 it broke; mend it"
    )
    assert str(PlantedError("it broke")) == "HR000 it broke"


def test_problems_print_a_line_each() -> None:
    assert str(ProblemsError([HeadraceError("one"), HeadraceError("two")])) == "one\ntwo"
