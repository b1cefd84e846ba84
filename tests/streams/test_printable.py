"""What strangers wrote acts on no terminal, wherever it is shown, and stays what it was."""

from __future__ import annotations

import json

import pytest

from headrace.streams.printable import printable, quiet_json

HOSTILE = "red \x1b[31m bell \x07 csi \x9b31m del \x7f turn \u202e feed \u2028 end"


def test_nothing_that_acts_is_left_in_a_line() -> None:
    shown = printable(HOSTILE)
    assert shown.isprintable()
    assert shown == "red \\x1b[31m bell \\x07 csi \\x9b31m del \\x7f turn \\u202e feed \\u2028 end"
    assert printable("a\nb\ud83d") == "a\\nb\\ud83d"


@pytest.mark.parametrize("text", [HOSTILE, "naïve 漢字 😀", '"quoted" \\ back', ""])
def test_json_means_the_same_and_nothing_in_it_acts(text: str) -> None:
    quiet = quiet_json(json.dumps({text: [text]}, ensure_ascii=False))
    assert json.loads(quiet) == {text: [text]}
    assert quiet.isprintable()
