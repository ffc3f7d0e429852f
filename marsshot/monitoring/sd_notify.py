"""Notifications to systemd, where it has started the bot (Type=notify): ready, alive, stopping. Nothing anywhere else.

Never raises and never waits: a bot with open positions does not depend on who watches it.
Source: sd_notify(3), a datagram to the socket that NOTIFY_SOCKET names.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress

READY, ALIVE, STOPPING = "READY=1", "WATCHDOG=1", "STOPPING=1"


def systemd_address() -> str:
    """Return where systemd listens to this process; empty where it does not."""
    return os.environ.get("NOTIFY_SOCKET", "")


class SystemdNotifier:
    """systemd as NOTIFY_SOCKET names it; an empty address is nobody."""

    def __init__(self, address: str) -> None:
        self._address = f"\0{address[1:]}" if address.startswith("@") else address

    def notify(self, *words: str) -> None:
        """Send these words in one message."""
        if not self._address:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as wire:
            wire.setblocking(False)
            wire.sendto("\n".join(words).encode(), self._address)


def status(text: str) -> str:
    """Return the word that `systemctl status` shows; one line."""
    return f"STATUS={' '.join(text.split())}"
