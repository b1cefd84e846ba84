"""Health and metrics over HTTP: /healthz, /readyz, /metrics. Bound to loopback unless told otherwise."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from headrace.streams.errors import WebPortError
from headrace.streams.health import Health
from headrace.streams.meter import Meter

__all__ = ["serve"]


# A browser must take nothing here for HTML: reasons and names in it come from strangers.
_HEADERS = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'"}


@asynccontextmanager
async def serve(
    port: int | None, health: Health, meter: Meter, *, host: str = "127.0.0.1"
) -> AsyncIterator[int | None]:
    """Serve while the context lasts; give the port, which the system chooses when it is 0. None serves nothing.

    Raises:
        WebPortError: HR410, the port cannot be opened.
    """
    if port is None:
        yield None
        return
    from aiohttp import web

    async def healthz(_: web.Request) -> web.Response:
        return web.json_response({"alive": True}, headers=_HEADERS)

    async def readyz(_: web.Request) -> web.Response:
        return web.json_response(health.facts(), status=200 if health.is_ready else 503, headers=_HEADERS)

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=meter.exposition(), headers={**_HEADERS, "Content-Type": "text/plain; version=0.0.4"})

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", metrics)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except (OSError, OverflowError) as error:
        await runner.cleanup()
        reason = getattr(error, "strerror", None) or str(error)
        raise WebPortError(
            f"port {port} on {host} cannot be opened: {reason}", mend="choose another --web-port"
        ) from None
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
