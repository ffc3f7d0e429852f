"""Serves the pages with waitress, until the process is stopped."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from waitress import create_server

from marsshot.config.settings import Settings
from marsshot.dashboard.app import create_app, warm_up
from marsshot.dashboard.data.bot_snapshot import BotFiles
from marsshot.dashboard.security.access_control import ServerAddress

LIMITS = {"threads": 4, "connection_limit": 100, "channel_timeout": 30, "max_request_body_size": 65_536}


def open_server(config: Path, settings: Settings, server_address: ServerAddress, now: Callable[[], datetime]) -> Any:
    """Return the server, its port taken; run() serves, close() ends it. Raises OSError where the port is taken."""
    bot_files = BotFiles(config, settings, now)
    app = create_app(bot_files, server_address, now)
    warm_up(app, bot_files)
    proxy = (
        {"trusted_proxy": "127.0.0.1", "trusted_proxy_headers": {"x-forwarded-for"}}
        if server_address.public_url
        else {}
    )
    return create_server(app, host=server_address.host, port=server_address.port, ident=None, **LIMITS, **proxy)


def serve(config: Path, settings: Settings, server_address: ServerAddress, now: Callable[[], datetime]) -> None:
    """Serve, and say where. Raises OSError where the port is taken."""
    server = open_server(config, settings, server_address, now)
    print(f"MarsShot's dashboard: {server_address.address}   Ctrl-C ends it", flush=True)  # noqa: T201
    try:
        server.run()
    finally:
        server.close()
