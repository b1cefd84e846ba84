"""What a browser gets at the web port: JSON that is declared as such, and nothing that it could run."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from asyncio import to_thread

import pytest

from headrace.streams.health import Health
from headrace.streams.meter import Meter
from headrace.streams.web import serve

EVIL = "<script>alert(1)</script>\x1b[31m"


def get(port: int, path: str) -> tuple[int, dict[str, str], bytes]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=5) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read()


@pytest.mark.parametrize("path", ["readyz", "healthz", "metrics", EVIL.replace("/", "%2F").replace("\x1b", "%1b")])
async def test_no_page_is_html_whatever_a_stranger_put_into_it(path: str) -> None:
    health = Health()
    health.expect(["ingress"])
    health.reading(False, EVIL)
    async with serve(0, health, Meter("p")) as port:
        assert port is not None
        _, headers, body = await to_thread(get, port, path)
    kind = headers["Content-Type"].partition(";")[0]
    assert kind in ("application/json", "text/plain")
    assert b"\x1b" not in body
    if path != EVIL and kind == "application/json":
        assert headers["X-Content-Type-Options"] == "nosniff"


async def test_readiness_says_why_word_for_word() -> None:
    health = Health()
    health.expect(["ingress"])
    health.reading(False, EVIL)
    async with serve(0, health, Meter("p")) as port:
        assert port is not None
        status, _, body = await to_thread(get, port, "readyz")
    assert (status, json.loads(body)["why"]) == (503, EVIL)
