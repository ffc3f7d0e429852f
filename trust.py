"""Which certificates this process trusts: one table of root certificates for all its connections.

requests and urllib3 make a table for each connection, nearly a megabyte each. Sends nothing.
"""

from __future__ import annotations

import ssl
from functools import cache
from typing import Any

from requests.adapters import HTTPAdapter


@cache
def one_trust() -> ssl.SSLContext:
    """Return the one context, with the machine's own root certificates; it checks certificate and host name."""
    return ssl.create_default_context()


class TrustingAlike(HTTPAdapter):
    """HTTPS of requests by the one table, to which requests adds what it trusts (certifi, REQUESTS_CA_BUNDLE)."""

    def init_poolmanager(self, *arguments: Any, **parameters: Any) -> None:
        """Let every connection check certificates by the one context."""
        super().init_poolmanager(*arguments, ssl_context=one_trust(), **parameters)
