"""Reading that can be ended from outside."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from headrace.core.errors import HeadraceError
from headrace.streams.client.reading import Reading, reading


def test_a_file_is_read_to_its_end(tmp_path: Path) -> None:
    file = tmp_path / "in"
    file.write_bytes(b"x" * 100_000)
    with reading(str(file)) as opened:
        assert opened.size_bytes == 100_000
        assert b"".join(iter(opened.read, b"")) == b"x" * 100_000


def test_a_read_that_waits_for_a_pipe_ends_when_it_is_stopped() -> None:
    outlet, inlet = os.pipe()
    opened = Reading(outlet, None)
    answers: list[bytes] = []
    waiting = threading.Thread(target=lambda: answers.append(opened.read()))
    waiting.start()
    opened.stop()
    waiting.join(10)
    assert answers == [b""]
    os.write(inlet, b"more")
    assert opened.read() == b"", "a stopped source stays at its end"
    opened.close()
    os.close(outlet)
    os.close(inlet)


@pytest.mark.provokes("HR432")
@pytest.mark.parametrize(("name", "reason"), [("none", "no such file or directory"), ("", "is a directory")])
def test_a_source_that_cannot_be_read_is_named_with_the_reason(tmp_path: Path, name: str, reason: str) -> None:
    source = str(tmp_path / name)
    with pytest.raises(HeadraceError, match=f"^HR432 cannot read '{source}': {reason}; "), reading(source):
        pass
