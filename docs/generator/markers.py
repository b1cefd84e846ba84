"""Find the generated parts of a page and put what they should hold in their place.

A part stands between two comments, which a reader of the page does not see:
`<!-- generated: NAME ARGUMENTS; make docs -->` and `<!-- end of generated -->`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

__all__ = ["Make", "filled"]

Make = Callable[..., str]
"""Returns the text of a part; takes the arguments that stand in its marker."""

_PART = re.compile(
    r"(?P<open><!-- generated: (?P<call>[^;\n]+); make docs -->\n)(?P<body>.*?)(?P<close><!-- end of generated -->)",
    re.DOTALL,
)
_OPEN = "<!-- generated:"


def filled(page: str, makers: Mapping[str, Make]) -> str:
    """Return the page with each of its parts made anew.

    Args:
        page: the text of a Markdown file.
        makers: what makes a part, by name.

    Raises:
        ValueError: a marker is not closed, or names a part that nothing makes.
    """
    if page.count(_OPEN) != len(_PART.findall(page)):
        raise ValueError("a generated part has no end")
    return _PART.sub(lambda part: f"{part['open']}{_made(part['call'].split(), makers)}{part['close']}", page)


def _made(call: Sequence[str], makers: Mapping[str, Make]) -> str:
    name, *arguments = call
    if name not in makers:
        raise ValueError(f"nothing makes {name!r}; there are {', '.join(sorted(makers))}")
    body = makers[name](*arguments).strip("\n")
    return f"\n{body}\n\n"
