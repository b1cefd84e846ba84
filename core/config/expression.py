"""CEL expressions over results: compiled once, evaluated for each result.

The `cel` package is imported only for files that have an expression.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Mapping
from types import ModuleType
from typing import Any

from headrace.core.config.errors import ExpressionError
from headrace.core.config.suggestion import suggest
from headrace.core.errors import Place
from headrace.core.wire.errors import WhenFailedError
from headrace.core.wire.json import replace_surrogates

__all__ = ["Expression", "compile_expression"]

# `x` in list.exists(x, …): the compiler lists it among the variables, though no result has to have it.
_MACRO_VARIABLE = re.compile(r"\.(?:all|exists|exists_one|map|filter)\(\s*([A-Za-z_]\w*)\s*,")

# What `cel` 0.10 can call; a name outside is known to fail on every record, so `check` refuses it. A test asks the
# package about each of them.
_CONVERSIONS = ("bytes", "double", "duration", "dyn", "int", "string", "timestamp", "type", "uint")
_QUESTIONS = ("contains", "endsWith", "has", "matches", "size", "startsWith")
_DAYS = ("getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear", "getFullYear", "getMonth")
_HOURS = ("getHours", "getMilliseconds", "getMinutes", "getSeconds")
FUNCTIONS = frozenset((*_CONVERSIONS, *_QUESTIONS, *_DAYS, *_HOURS))
_SHOWN = 80
_LIKE = {"result": "output.label == 'negative'", "record": "value.country == 'nl'"}
_REFUSALS = (TypeError, KeyError, ValueError, ArithmeticError, RuntimeError)
_NOT_TAKEN = "Failed to convert"  # what `cel` says of a value that it cannot take in


class Expression:
    """A compiled CEL expression that says yes or no."""

    def __init__(self, source: str, program: Any, names: frozenset[str]) -> None:
        self.source, self.names = source, names
        self._program = program

    def holds(self, fields: Mapping[str, Any]) -> bool:
        """Whether the expression is true over these fields.

        Raises:
            WhenFailedError: HR508, it cannot be evaluated over them, or is neither true nor false.
        """
        answer = self._answer(fields)
        if not isinstance(answer, bool):
            raise WhenFailedError(
                f"{self.source!r} gives {type(answer).__name__}, not true or false", mend="compare with something"
            )
        return answer

    def _answer(self, fields: Mapping[str, Any]) -> Any:
        try:
            return self._program.execute(fields)
        except _REFUSALS as error:
            fault = str(error)
        if _NOT_TAKEN in fault:  # a lone surrogate, which CEL's strings cannot hold, perhaps where nobody asks
            try:
                return self._program.execute(_without_surrogates(fields))
            except _REFUSALS as error:
                fault = str(error)
        raise WhenFailedError(
            f"{self.source!r} cannot be evaluated: {fault.partition('. ')[0]}",
            mend="guard it, for example with has(...)",
        )


def compile_expression(
    source: str, place: Place | None, known: Collection[str], *, about: str = "result"
) -> Expression:
    """Return the compiled expression.

    Args:
        source: the CEL text.
        place: where it stands in the file.
        known: the fields it may name.
        about: what has these fields, `result` or `record`, for the message.

    Raises:
        ExpressionError: HR110, it is not CEL, or names a field or function that there is not.
    """
    shown = repr(source if len(source) <= _SHOWN else source[: _SHOWN - 3] + "...")
    try:
        program = _cel().compile(source)
    except ValueError as error:
        lines = str(error).splitlines()
        raise ExpressionError(
            f"{shown} is not CEL: {_syntax_fault(lines[0] if lines else '')}",
            source=source,
            mend=f"write one like {_LIKE[about]}",
            place=place,
        ) from None
    names = frozenset(program.variables()) - frozenset(_MACRO_VARIABLE.findall(source))
    for name in sorted(names - set(known)):
        fault = f"{shown} names {name!r}, which no {about} has"
        raise ExpressionError(fault, source=source, mend=suggest(name, known), place=place)
    for name in program.functions():
        if name.isidentifier() and name not in FUNCTIONS:
            mend = suggest(name, FUNCTIONS, "functions")
            fault = f"{shown} calls {name}(), which CEL does not have here"
            raise ExpressionError(fault, source=source, mend=mend, place=place)
    return Expression(source, program, names)


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return replace_surrogates(value)
    if isinstance(value, Mapping):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    return [_without_surrogates(item) for item in value] if isinstance(value, list | tuple) else value


def _cel() -> Any:
    # The package imports its own command line (typer, prompt_toolkit, rich): 150 of 155 ms, twice the budget of
    # everything else that `check` does. An empty module stands in for it while the rest is imported.
    if "cel" not in sys.modules:
        sys.modules["cel.cli"] = ModuleType("cel.cli")
        try:
            import cel  # noqa: F401
        finally:
            del sys.modules["cel.cli"]
    return sys.modules["cel"]


def _syntax_fault(line: str) -> str:
    fault = line.rpartition("ERROR: <input>:")[2] or line
    return fault if len(fault) <= 2 * _SHOWN else fault[: 2 * _SHOWN - 3] + "..."
