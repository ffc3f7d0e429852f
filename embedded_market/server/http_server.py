"""A small HTTP/1.1 server on loopback for the embedded market: keep-alive, one event loop, no threads per client.

Moves bytes only; what is answered is the market's. Not for anything but 127.0.0.1.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Self

from embedded_market.http_messages import BadRequestError, Response, parse_request, render
from embedded_market.market import Reply

if TYPE_CHECKING:
    from types import TracebackType

    from embedded_market.market import EmbeddedMarket

HOST = "127.0.0.1"
_START_SECONDS = 10.0


class Connection(asyncio.Protocol):
    """One client. Requests are answered one after the other, in the order they came."""

    def __init__(self, market: EmbeddedMarket, connections: set[Connection]) -> None:
        self._market = market
        self._connections = connections
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._delayed_reply: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport; asyncio has set TCP_NODELAY."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - narrows the type
        self._transport = transport
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the client; an answer still waiting is not sent."""
        self._connections.discard(self)
        self._transport = None
        if self._delayed_reply is not None:
            self._delayed_reply.cancel()

    def data_received(self, data: bytes) -> None:
        """Answer as soon as a request is whole."""
        self._received = self._received + data if self._received else data
        self._answer_next()

    def close(self) -> None:
        """Close without another word."""
        if self._transport is not None:
            self._transport.abort()

    def _answer_next(self) -> None:
        while self._received and self._delayed_reply is None and self._transport is not None:
            try:
                parsed = parse_request(self._received)
            except BadRequestError as error:
                headers = {"Content-Type": "text/plain"}
                answer = render(Response(400, headers, str(error).encode()), keep_alive=False)
                self._send(Reply(answer, close=True))
                return
            if parsed is None:
                return
            request, length = parsed
            self._received = self._received[length:]
            reply = self._market.respond(request)
            if reply.byte_seconds > 0:
                self._trickle(reply, 0)
            elif reply.delay > 0:
                loop = asyncio.get_running_loop()
                self._delayed_reply = loop.call_later(reply.delay, self._send_late, reply)
            else:
                self._send(reply)

    def _send_late(self, reply: Reply) -> None:
        self._delayed_reply = None
        self._send(reply)
        self._answer_next()

    def _trickle(self, reply: Reply, sent: int) -> None:
        """Send the next byte, and the one after it later."""
        self._delayed_reply = None
        is_last = sent + 1 >= len(reply.payload)
        self._send(Reply(reply.payload[sent : sent + 1], close=is_last and reply.close))
        if not is_last and self._transport is not None:
            loop = asyncio.get_running_loop()
            self._delayed_reply = loop.call_later(reply.byte_seconds, self._trickle, reply, sent + 1)

    def _send(self, reply: Reply) -> None:
        if self._transport is None:
            return
        if reply.payload:
            self._transport.write(reply.payload)
        if reply.close:
            self._received = b""
            self._transport.close()


class MarketServer:
    """Serves a market from a thread of this process: `with MarketServer(market) as server: server.url`."""

    def __init__(self, market: EmbeddedMarket, port: int = 0) -> None:
        self.market = market
        self._port = port
        self._loop = asyncio.new_event_loop()
        self._connections: set[Connection] = set()
        self._ready = threading.Event()
        self._failure: OSError | None = None
        self._thread = threading.Thread(target=self._run, name="embedded-market", daemon=True)

    @property
    def port(self) -> int:
        """Return the port in use; known once the server runs."""
        return self._port

    @property
    def url(self) -> str:
        """Return the origin of all three services."""
        return f"http://{HOST}:{self._port}"

    def start(self) -> None:
        """Start serving. Raises OSError if the port cannot be had."""
        self._thread.start()
        self._ready.wait(_START_SECONDS)
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Cut every connection and end the thread."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()

    def __enter__(self) -> Self:
        """Start serving."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop serving."""
        self.stop()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            server = self._loop.run_until_complete(self._listen())
        except OSError as error:
            self._failure = error
            self._loop.close()
            return
        finally:
            self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(self._close_server(server))
        self._loop.close()

    async def _listen(self) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Connection(self.market, self._connections), HOST, self._port)
        self._port = server.sockets[0].getsockname()[1]
        return server

    async def _close_server(self, server: asyncio.Server) -> None:
        server.close()
        for connection in list(self._connections):
            connection.close()
        await asyncio.sleep(0)
