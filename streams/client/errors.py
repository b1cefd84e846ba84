"""What can go wrong while messages are published or results are read."""

from __future__ import annotations

from headrace.core.errors import BrokerError, ConfigError

__all__ = [
    "ColumnMissingError",
    "LineRefusedError",
    "NotSentError",
    "SourceUnreadableError",
    "TextPlaceError",
    "UnknownOutputError",
]


class SourceUnreadableError(ConfigError):
    """The file that `headrace publish` should read cannot be read.

    It does not exist, is a folder, or may not be read. Mend: check the path; `-` reads from standard input.
    """

    code = "HR432"


class LineRefusedError(ConfigError):
    """A line of the source cannot be published.

    With --strict every line must be a JSON value, and the whole source is read before anything is sent. A CSV file
    must be UTF-8, have a header of different names, and no row with more fields than the header; the rows before a
    bad one are sent. Mend: correct the line that the message names. Without --strict, broken JSON is sent as it is
    and becomes a dead letter.
    """

    code = "HR433"


class ColumnMissingError(ConfigError):
    """A CSV file has no column of that name.

    --key and --text-column name columns of the header; without --text-column the column has the name of
    `input.text` in the pipeline file. Mend: correct the name; the message lists the columns.
    """

    code = "HR434"


class TextPlaceError(ConfigError):
    """Plain text lines have no place in what the pipeline reads.

    The pipeline reads JSON and its file names no path for a text, so nobody could say where a line belongs. Mend:
    publish JSON lines, or name the path in the file: `input: {text: PATH}`.
    """

    code = "HR435"


class NotSentError(BrokerError):
    """Some messages did not arrive.

    The broker refused them, or did not acknowledge them in time; the message says how many and why, and how many did
    arrive. A message larger than its topic takes is not sent at all. Mend: remove the reason, then publish the rest;
    what is published twice is processed twice, unless messages carry `ce_id`.
    """

    code = "HR436"


class UnknownOutputError(ConfigError):
    """The pipeline has no output of that name.

    An output is named after its topic. Mend: correct the name; `headrace plan FILE` lists the outputs.
    """

    code = "HR437"
