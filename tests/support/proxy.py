"""The network between clients and a broker, on loopback: it can be cut, in silence or with a reset, and mended."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from headrace.streams.broker.port import HOST
from tests.support.port import free_port

__all__ = ["PROXIED", "Proxy", "proxied_settings"]

PROXIED = "PROXIED"
"""The name of a broker's listener whose clients are sent to the proxy."""

_CHUNK = 1 << 16


def proxied_settings(own_port: int, proxy_port: int) -> dict[str, str]:
    """Return what makes a `Node` listen on one more port and tell its clients to come through the proxy's."""
    node = "PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller}"
    return {
        "listener.security.protocol.map": f"CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,{PROXIED}:PLAINTEXT",
        "listeners": f"{node},{PROXIED}://{HOST}:{own_port}",
        "advertised.listeners": f"{node},{PROXIED}://{HOST}:{proxy_port}",
        "inter.broker.listener.name": "PLAINTEXT",
    }


class Proxy:
    """Forwards connections in a thread of its own.

    Attributes:
        port: where clients connect.
        target_port: where they are forwarded to.
        carried_bytes: how much went through, both ways.
    """

    def __init__(self, target_port: int = 0) -> None:
        self.port, self.target_port = free_port(), target_port or free_port()
        self.carried_bytes = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="proxy")
        self._whole = asyncio.Event()
        self._refuses = False
        self._transports: set[asyncio.WriteTransport] = set()
        self._server: asyncio.Server | None = None

    @property
    def bootstrap(self) -> str:
        """The address for clients."""
        return f"{HOST}:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        self._run(self._open())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def cut(self, *, silently: bool = True) -> None:
        """Let nothing through any more: in silence, as when a cable is pulled, or by resetting every connection.

        In silence connections stay, also new ones are taken, and what was sent arrives once it is mended, if both ends
        are still there: so does TCP.
        """
        self._call(self._cut, silently)

    def mend(self) -> None:
        """Let everything through again."""
        self._call(self._mend)

    def _cut(self, silently: bool) -> None:
        self._whole.clear()
        self._refuses = not silently
        if not silently:
            for transport in list(self._transports):
                transport.abort()

    def _mend(self) -> None:
        self._refuses = False
        self._whole.set()

    async def _open(self) -> None:
        self._whole.set()
        self._server = await asyncio.start_server(self._serve, HOST, self.port)

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
        self._mend()
        for transport in list(self._transports):
            transport.abort()
        rest = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._transports.add(writer.transport)
        onward: asyncio.StreamWriter | None = None
        try:
            if self._refuses:
                return
            await self._whole.wait()
            back, onward = await asyncio.open_connection(HOST, self.target_port)
            self._transports.add(onward.transport)
            await asyncio.gather(self._pump(reader, onward), self._pump(back, writer))
        except OSError:
            pass  # one end is gone; so is the other, below
        finally:
            for one in (writer, onward):
                if one is not None:
                    self._transports.discard(one.transport)
                    one.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(_CHUNK):
            await self._whole.wait()
            self.carried_bytes += len(data)
            writer.write(data)
            await writer.drain()
        await self._whole.wait()  # the other end does not learn of a close while the network is cut
        raise ConnectionResetError

    def _call(self, action: Callable[..., None], *args: Any) -> None:
        async def acted() -> None:
            action(*args)

        self._run(acted())

    def _run(self, what: Coroutine[Any, Any, None]) -> None:
        with suppress(asyncio.CancelledError):
            asyncio.run_coroutine_threadsafe(what, self._loop).result(10)
