"""From CSV with a header to what is published: a JSON object a row, or its text column alone."""

from __future__ import annotations

import csv
from collections.abc import Iterator

from headrace.core.wire.json import encode
from headrace.streams.client.errors import ColumnMissingError
from headrace.streams.client.lines import Lines
from headrace.streams.client.parcel import Parcel, Wish, put

__all__ = ["from_csv"]

_LONGEST_FIELD = 1 << 30  # the module's own limit, 131,072 characters, is less than a message may have


def from_csv(lines: Lines, wish: Wish) -> Iterator[Parcel | None]:
    """Yield a parcel a row; None for a blank line. A field may hold line ends when it is quoted.

    Raises:
        LineRefusedError: HR433, not UTF-8, not CSV, or other fields than the header has; with the row's first line.
        ColumnMissingError: HR434, the column of the text or of the key is not there.
    """
    csv.field_size_limit(_LONGEST_FIELD)
    rows = csv.reader((wish.decoded(line, lines.number) + "\n" for line in lines), strict=True)
    columns: _Columns | None = None
    while True:
        number = lines.number + 1
        try:
            row = next(rows, None)
        except csv.Error as error:
            raise wish.refusal(number, f"is not CSV: {error}") from None
        if row is None:
            return
        if not row:
            yield None
        elif columns is None:
            columns = _Columns([name.removeprefix("\ufeff") for name in row], wish, number)
        elif len(row) != len(columns.names):
            raise wish.refusal(number, f"has {len(row)} of the header's {len(columns.names)} fields")
        else:
            yield columns.parcel(row)


class _Columns:
    """The header of a file: which of its columns are text and key, and where each belongs in a JSON object."""

    def __init__(self, names: list[str], wish: Wish, number: int) -> None:
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise wish.refusal(number, f"names column {doubled[0]!r} twice")
        self.names, self._wish = names, wish
        self._text = self._find(wish.text_column or self._usual_text(), "--text-column")
        self._key = self._find(wish.key, "--key")
        if self._key is None and ".".join(wish.unit) in names:
            self._key = names.index(".".join(wish.unit))
        self._paths = [self._path(at, name) for at, name in enumerate(names)]
        self._refuse_overlaps(number)

    def parcel(self, row: list[str]) -> Parcel:
        """Return what a row becomes."""
        key = None if self._key is None else row[self._key].encode()
        if self._wish.is_text:
            return Parcel(key, row[self._text or 0].encode())
        value: dict[str, object] = {}
        for path, field in zip(self._paths, row, strict=True):
            put(value, path, field)
        return Parcel(key, encode(value))

    def _usual_text(self) -> str:
        if self._wish.is_text:
            return "text" if len(self.names) > 1 else ""
        return ".".join(self._wish.text)

    def _find(self, column: str, option: str) -> int | None:
        if not column:
            return None
        if column not in self.names:
            raise ColumnMissingError(
                f"{self._wish.source} has no column {column!r}; its columns are {', '.join(map(repr, self.names))}",
                mend=f"name one of them with {option}",
            )
        return self.names.index(column)

    def _path(self, at: int, name: str) -> tuple[str, ...]:
        """Return where a column belongs: text and unit where the pipeline reads them, the others under their name."""
        if at == self._text and self._wish.text:
            return self._wish.text
        return self._wish.unit if name == ".".join(self._wish.unit) else (name,)

    def _refuse_overlaps(self, number: int) -> None:
        for at, path in enumerate(self._paths):
            for other in self._paths[:at]:
                if path[: len(other)] == other or other[: len(path)] == path:
                    names = f"{'.'.join(other)!r} and {'.'.join(path)!r}"
                    raise self._wish.refusal(number, f"has columns that cannot be in one object: {names}")
