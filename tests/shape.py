"""Print the measures of the house beside what it aims at, and name the worst: a mirror to look into, not a gate.

`make shape` runs it. Lines are physical; a function counts without its docstring; modules of five lines or fewer are
left out; documented are public modules, classes, functions and methods with a docstring.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
CODE = ("core", "plugins", "streams")
Function = ast.FunctionDef | ast.AsyncFunctionDef


class Measure(NamedTuple):
    """A size and what has it."""

    lines: int
    where: str


def trees(*folders: str) -> Iterator[tuple[Path, str, ast.Module]]:
    """Yield every module of the folders with its text and its tree."""
    for path in sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if text.count("\n") > 5:
            yield path.relative_to(ROOT), text, ast.parse(text)


def functions(tree: ast.AST) -> Iterator[Function]:
    """Yield every function and method."""
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def size(function: Function) -> int:
    """Return the lines of a function without its docstring."""
    doc = function.body[0] if ast.get_docstring(function) is not None else None
    lines = (function.end_lineno or 0) - function.lineno + 1
    return lines - ((doc.end_lineno or 0) - doc.lineno + 1 if doc else 0)


def is_annotated(function: Function) -> bool:
    """Whether the return and every argument but self has a type."""
    given = function.args
    named = [*given.posonlyargs, *given.args, *given.kwonlyargs, *filter(None, (given.vararg, given.kwarg))]
    bare = [one for one in named if one.annotation is None and one.arg not in ("self", "cls")]
    return function.returns is not None and not bare


def publics(tree: ast.Module) -> Iterator[ast.Module | ast.ClassDef | Function]:
    """Yield the module and its public classes, functions and methods."""
    yield tree
    for node in tree.body:
        if isinstance(node, ast.ClassDef | Function) and not node.name.startswith("_"):
            yield node
            inner = node.body if isinstance(node, ast.ClassDef) else []
            yield from (one for one in inner if isinstance(one, Function) and not one.name.startswith("_"))


def spread(measures: Sequence[Measure]) -> str:
    """Return median and 95th percentile."""
    lines = [measure.lines for measure in measures]
    return f"{median(lines):g} / {quantiles(lines, n=20)[-1]:g}"


def percent(yes: int, of: int) -> str:
    """Return a share."""
    return f"{100 * yes / of:.1f}%"


def main() -> None:
    """Print the table and the worst three of each size."""
    code = list(trees(*CODE))
    modules = [Measure(text.count("\n"), str(path)) for path, text, _ in code]
    every = [(path, one) for path, _, tree in code for one in functions(tree)]
    bodies = [Measure(size(one), f"{path}:{one.lineno} {one.name}") for path, one in every]
    documented = [ast.get_docstring(one) is not None for _, _, tree in code for one in publics(tree)]
    tests = sum(text.count("\n") for _, text, _ in trees("tests"))
    rows = (
        ("modules, median / p95 lines", spread(modules), "150 / 500"),
        ("functions, median / p95 lines", spread(bodies), "8 / 35"),
        ("annotated functions", percent(sum(is_annotated(one) for _, one in every), len(every)), "100%"),
        ("documented public names", percent(sum(documented), len(documented)), "100%"),
        ("test lines a source line", f"{tests / sum(one.lines for one in modules):.2f}", "1.2"),
    )
    for what, found, aim in (("", "here", "aim"), *rows):
        print(f"{what:32}{found:>14}{aim:>14}")
    for what, measures in (("longest modules", modules), ("longest functions", bodies)):
        worst = sorted(measures, reverse=True)[:3]
        print(f"{what}: {', '.join(f'{one.where} ({one.lines})' for one in worst)}")


if __name__ == "__main__":
    main()
