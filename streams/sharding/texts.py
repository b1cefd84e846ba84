"""Texts to compare models on when nobody gives any: short, long and odd ones, more of them than a batch has."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from headrace.core.wire.json import decode
from headrace.core.wire.path import follow
from headrace.streams.sharding.errors import TextsMissingError

__all__ = ["LONG", "OWN", "read_texts"]

LONG = (
    "We had booked the small room above the bakery for three nights, and on the first morning the smell of bread came "
    "up the stairs before the sun did. The heating knocked, the shower was either ice or steam, and the window looked "
    "out on a yard with two bicycles and a very old dog. Nobody hurried us. The owner drew a map on the back of a "
    "receipt, and every place on it was better than the one before; by the last evening we had stopped asking what "
    "anything cost. Would we come back? We have already asked for the same room, the same dog and the same weather."
)
OWN = (
    "",
    "Good.",
    "Never again!",
    "It arrived late, but it works.",
    "The screen is bright, the battery is not what was promised.",
    "I have had worse soup, though not often and never at this price.",
    "Nobody told us that the bridge was closed.",
    "A quiet film about loud people.",
    "Please cancel my order 4417 and send the money back.",
    "The second half is so much better than the first that it feels like another book.",
    "ok",
    "?!",
    "Absolutely not what the picture showed.",
    "My neighbour recommended it, and for once my neighbour was right.",
    "Too sweet, too small, too expensive; I ate all of it.",
    "Who thought that a red button on a red wall was a good idea?",
    "The staff were kind even when the system was down.",
    "Es war schön, aber viel zu kurz.",
    "Le train est parti sans nous.",
    "雨が降っていたので、家にいました。",
    "Спасибо, всё пришло вовремя.",
    "👍👍👍",
    "The update broke the one thing that I use every day 😡",
    "It does not do anything badly, and it does nothing well.",
    "After six months the zip still holds and the colour has not faded.",
    "UPPER CASE LETTERS DO NOT MAKE IT TRUE",
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen",
    "I cannot say that I was not unhappy with it.",
    "They replaced the part within a day and did not charge for it.",
    "The manual is forty pages long and leaves out how to switch it on.",
    "https://example.org/a/b?c=d#e and a tab\tand two\nlines",
    "So-so.",
    "We laughed at all the wrong moments, which made it a lovely evening.",
    "The coffee is cold, the room is warm, and the view makes up for both.",
    "Half of the seats were empty, and after the break it was more than half.",
    LONG,
    f"{LONG} {LONG}",
    "It is what it is.",
    "I would give it no stars if that were possible.",
    "Best of all was the silence afterwards.",
)


def read_texts(path: Path | None, keys: tuple[str, ...] = ()) -> list[str]:
    """Return the texts of a file, a line each; without a file the own ones. Blank lines are left out.

    Args:
        path: text, or JSONL when there are keys.
        keys: where in each line's JSON the text lies.

    Raises:
        TextsMissingError: HR336.
    """
    if path is None:
        return list(OWN)
    try:
        lines = path.read_bytes().decode("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise TextsMissingError(f"{path} cannot be read: {error}", mend="give a file of UTF-8 text") from None
    numbered = [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    if not numbered:
        raise TextsMissingError(f"{path} has no texts", mend="give one a line")
    return list(_from_json(numbered, keys, path)) if keys else [line for _, line in numbered]


def _from_json(numbered: list[tuple[int, str]], keys: tuple[str, ...], path: Path) -> Iterator[str]:
    for number, line in numbered:
        try:
            text = follow(decode(line.encode()), keys)
        except ValueError as error:
            raise TextsMissingError(
                f"{path}:{number} is not JSON: {error}", mend="give JSONL, or leave --text away"
            ) from None
        if not isinstance(text, str):
            raise TextsMissingError(f"{path}:{number} has no text at {'.'.join(keys)}", mend="correct --text")
        yield text
