"""Serves the pages with waitress, until the process is stopped; slow connections keep nobody out."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from waitress import server as waitress_server
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.task import ThreadedTaskDispatcher

from marsshot.config.settings import Settings
from marsshot.core.catalog import Catalog
from marsshot.dashboard.app import create_app, warm_up
from marsshot.dashboard.data.bot_snapshot import BotFiles
from marsshot.dashboard.security.access_control import ServerAddress
from marsshot.dashboard.security.connection_limits import ConnectionLimits, RequestDeadline, connections_to_close

THREADS = 4
# From whom a connection comes is known to the proxy alone, and only this machine's processes reach the port then. Of
# the addresses that it names the last one counts: the one that it saw itself.
PROXY = {"trusted_proxy": "*", "trusted_proxy_count": 1, "trusted_proxy_headers": {"x-forwarded-for"}}
ADJUSTMENTS = {
    "ident": None,
    "threads": THREADS,
    "max_request_header_size": 16_384,
    "max_request_body_size": 65_536,
    "cleanup_interval": 1,  # seconds between two looks for connections that have taken too long
    "asyncore_use_poll": True,
    "log_socket_errors": False,
}


class _Channel(HTTPChannel):  # type: ignore[misc]
    """A connection with a deadline: waitress keeps one open for ever on which a byte comes now and then."""

    def __init__(self, server: _Server, sock: Any, addr: Any, adj: Any, map: Any = None) -> None:
        self.address = str(addr[0])
        self.waiting_since = time.monotonic()
        self.deadline = RequestDeadline(server.limits, self.waiting_since)
        super().__init__(server, sock, addr, adj, map)

    @property
    def is_busy(self) -> bool:
        """Return whether a request of it is being answered."""
        return bool(self.requests)

    def readable(self) -> bool:
        """Return whether more may be read; of one that was closed in this very round of the loop, nothing."""
        return bool(self.connected and super().readable())

    def writable(self) -> bool:
        """Return whether there is something to send."""
        return bool(self.connected and super().writable())

    def received(self, data: bytes) -> Any:
        """Take in bytes."""
        if self.request is None:
            self.deadline.request_begins(time.monotonic())
        return super().received(data)

    def service(self) -> None:
        """Answer a request, in a thread of its own."""
        self.deadline.answer_begins()
        has_more = self._drop_all_but_first()
        try:
            super().service()
        finally:
            self.waiting_since = time.monotonic()
            self.deadline.answer_ends(self.waiting_since, is_sent=not self.total_outbufs_len)
        if has_more:
            self.close_when_flushed = True
            self.server.pull_trigger()

    def _drop_all_but_first(self) -> bool:
        """Drop what was sent before its turn, as no browser does; return whether something was.

        A hundred requests in one piece would hold this thread until somebody takes their answers.
        """
        with self.requests_lock:
            for early in self.requests[1:]:
                early.close()
            has_more = len(self.requests) > 1
            del self.requests[1:]
        return has_more


class _Server(waitress_server.TcpWSGIServer):  # type: ignore[misc]
    """A listening socket whose connections keep to the limits."""

    channel_class = _Channel

    def __init__(self, limits: ConnectionLimits, *arguments: Any, **more: Any) -> None:
        self.limits = limits
        super().__init__(*arguments, **more)

    def handle_accept(self) -> None:
        """Take a connection; if it is one too many, another gives way."""
        super().handle_accept()
        channels = [one for one in self._map.values() if isinstance(one, _Channel)]
        for channel in connections_to_close(channels, self.limits):
            channel.handle_close()

    def maintenance(self, now: float) -> None:
        """Close the connections that have taken too long."""
        for channel in list(self.active_channels.values()):
            if not channel.is_busy and channel.deadline.is_over(time.monotonic()):
                channel.handle_close()


def open_server(
    config: Path,
    settings: Settings,
    server_address: ServerAddress,
    now: Callable[[], datetime],
    limits: ConnectionLimits | None = None,
) -> Any:
    """Return the server, its port taken; run() serves, close() ends it. Raises OSError where the port is taken."""
    bot_files = BotFiles(config, settings, now)
    app = create_app(bot_files, server_address, now)
    warm_up(app, bot_files)
    return _listen(app, server_address, limits or default_limits(server_address))


def default_limits(server_address: ServerAddress) -> ConnectionLimits:
    """Return the limits; behind a proxy every connection comes from that one address."""
    limits = ConnectionLimits()
    return ConnectionLimits(per_address=limits.overall) if server_address.public_url else limits


def _listen(app: Any, server_address: ServerAddress, limits: ConnectionLimits) -> Any:
    """Do as waitress.create_server does, with connections that keep to the limits."""
    proxy = PROXY if server_address.public_url else {}
    # Waitress stops listening at its own limit; with room for its own sockets and a new one, that is never reached.
    adjustments = Adjustments(
        host=server_address.host,
        port=server_address.port,
        connection_limit=limits.overall + 100,
        **ADJUSTMENTS,
        **proxy,
    )
    dispatcher, sockets = ThreadedTaskDispatcher(), dict[int, Any]()
    dispatcher.set_thread_count(adjustments.threads)
    servers = [
        _Server(limits, app, sockets, dispatcher=dispatcher, adj=adjustments, sockinfo=one)
        for one in adjustments.listen
    ]
    if len(servers) == 1:
        return servers[0]
    places = [(server.effective_host, server.effective_port) for server in servers]
    return waitress_server.MultiSocketServer(sockets, adjustments, places, dispatcher, servers[0].log_info)


def serve(config: Path, settings: Settings, server_address: ServerAddress, now: Callable[[], datetime]) -> None:
    """Serve, and say where. Raises OSError where the port is taken."""
    server = open_server(config, settings, server_address, now)
    told = Catalog(settings.language).text("server.serves", address=server_address.address)
    print(told, flush=True)  # noqa: T201
    try:
        server.run()
    finally:
        server.close()
