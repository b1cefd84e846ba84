"""Write down the public interface: every name of `headrace` with kind and signature, and the schema of a result.

`make snapshot` writes the files anew; the tests compare them with the code, so that a change shows as a diff to review.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from pydantic import BaseModel

import headrace
from headrace.core.wire.result import ResultBody

__all__ = ["FILES", "public_names", "result_schema"]

HERE = Path(__file__).parent


def public_names() -> str:
    """Return a line for every public name and for every public member of a class."""
    return "\n".join(line for name in sorted(headrace.__all__) for line in _lines(name, getattr(headrace, name))) + "\n"


def result_schema() -> str:
    """Return the JSON Schema of the body of a message on an output topic."""
    return json.dumps(ResultBody.model_json_schema(), indent=2, sort_keys=True) + "\n"


FILES = {HERE / "public.txt": public_names, HERE / "result.schema.json": result_schema}


def _lines(name: str, public: Any) -> Iterator[str]:
    if not isinstance(public, type):
        yield f"{name}: {type(public).__name__ if name in ('__version__', 'hookimpl') else public}"
        return
    bases = [base.__name__ for base in public.__bases__]
    yield f"class {name}({', '.join(bases)}){'' if 'Protocol' in bases else _signature(public)}"
    for member in sorted(set(vars(public)) | set(_annotations(public))):
        is_called = member == "__call__" and "Protocol" in bases
        if is_called or not member.startswith(("_", "model_config")):
            yield f"{name}.{member}{_member(public, member)}"


def _member(owner: type, name: str) -> str:
    annotation = _annotations(owner).get(name)
    if annotation is not None:
        return f": {annotation}"
    member = vars(owner)[name]
    if isinstance(member, property):
        return f" -> {_signature(member.fget).rpartition(' -> ')[2]}"
    return _signature(member) if callable(member) else ""


def _annotations(owner: type) -> dict[str, str]:
    return {name: _plain(str(kind)) for name, kind in vars(owner).get("__annotations__", {}).items()}


def _signature(callable_: Any) -> str:
    if isinstance(callable_, type) and issubclass(callable_, msgspec.Struct):
        # inspect would evaluate the annotations of a struct, and some of their names exist for type checkers only.
        fields, defaults = callable_.__struct_fields__, callable_.__struct_defaults__
        needed = fields[: len(fields) - len(defaults)]
        return f"({', '.join([*needed, *(f'{field}=...' for field in fields[len(needed) :])])})"
    if isinstance(callable_, type) and issubclass(callable_, BaseModel):
        return "(**data: Any) -> None"  # whether it says more depends on whether somebody made one before
    return _plain(str(inspect.signature(callable_)))


def _plain(text: str) -> str:
    """Return annotations as they stand in the code, whatever wraps them: a string, a ForwardRef, a class's repr."""
    text = re.sub(r"ForwardRef\('([^']*)'[^)]*\)", r"\1", text)
    text = re.sub(r"<class '(?:[\w]+\.)*(\w+)'>", r"\1", text)
    return re.sub(r"(: |-> )'([^']*)'", r"\1\2", text)


if __name__ == "__main__":
    for file, write in FILES.items():
        file.write_text(write(), encoding="utf-8")
        print(f"wrote {file.relative_to(HERE.parents[1])}")
