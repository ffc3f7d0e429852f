"""How often a token may be tried: a few times per address, once when many try at the same time.

Nobody's wrong tokens keep another address waiting, nor a browser that has once had the token: it carries a mark, and
its tries are counted by that. Values in, values out; the clock is passed in.
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
from collections import deque
from datetime import datetime, timedelta
from threading import Lock

THROTTLE_WINDOW = timedelta(minutes=15)
MAX_ATTEMPTS_PER_ADDRESS = 5
CROWD = 50  # attempts of all in that while, from which on an address that never had the token has only ...
MAX_ATTEMPTS_IN_A_CROWD = 1
MAX_REMEMBERED_ATTEMPTS = 10_000
MAX_KNOWN_ADDRESSES = 100
_IPV6_NETWORK = 64  # bits: what one customer has at least; in it an address is had for the asking


class LoginThrottle:
    """Limits login attempts of each visitor: an address, or the mark of a browser that had the token."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._attempts: deque[tuple[datetime, str]] = deque(maxlen=MAX_REMEMBERED_ATTEMPTS)
        self._known: deque[str] = deque(maxlen=MAX_KNOWN_ADDRESSES)

    def record_attempt(self, visitor: str, now: datetime, *, is_known: bool = False) -> timedelta:
        """Count an attempt and return no wait; or count none and return how long to wait at most."""
        with self._lock:
            while self._attempts and self._attempts[0][0] + THROTTLE_WINDOW <= now:
                self._attempts.popleft()
            is_crowded = len(self._attempts) >= CROWD and not is_known and visitor not in self._known
            most = MAX_ATTEMPTS_IN_A_CROWD if is_crowded else MAX_ATTEMPTS_PER_ADDRESS
            own = [moment for moment, of in self._attempts if of == visitor]
            if len(own) >= most:
                return own[-most] + THROTTLE_WINDOW - now
            self._attempts.append((now, visitor))
            return timedelta(0)

    def reset(self, visitor: str) -> None:
        """Forget the attempts of a visitor who had the token, and know him from now on."""
        with self._lock:
            kept = [(moment, of) for moment, of in self._attempts if of != visitor]
            self._attempts = deque(kept, maxlen=MAX_REMEMBERED_ATTEMPTS)
            if visitor not in self._known:
                self._known.append(visitor)


def address_group(address: str) -> str:
    """Return what is counted as one address: an IPv4 address, or the network that an IPv6 address is one of many of."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    if parsed.is_loopback:
        return str(parsed)
    return str(ipaddress.ip_network((parsed, _IPV6_NETWORK), strict=False))


def new_browser_mark(token: str) -> str:
    """Return a mark for a browser that had the token; another token makes it worthless."""
    name = secrets.token_urlsafe(16)
    return f"{name}.{_signature(name, token)}"


def marked_browser(mark: str, token: str) -> str:
    """Return the name of the browser that a mark was made for; nothing where it is none of this token."""
    name, _, signature = mark.partition(".")
    is_ours = hmac.compare_digest(signature.encode("utf-8", "replace"), _signature(name, token).encode())
    return name if is_ours and token else ""


def _signature(name: str, token: str) -> str:
    return hmac.digest(f"marsshot browser mark {token}".encode(), name.encode("utf-8", "replace"), "sha256").hex()
