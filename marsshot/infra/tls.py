"""Which certificates this process trusts: one shared context of root certificates for all its connections.

requests and urllib3 make a table for each connection: with those the sleeping daemon holds 60.1 MB, over its bound of
60, with one table 59.6 (`docs/performance.md`). Sends nothing.
"""

from __future__ import annotations

import os
import ssl
from functools import cache
from pathlib import Path
from typing import Any

from certifi import where

from marsshot.core.catalog import LocalizedText
from marsshot.core.errors import InputError
from marsshot.infra.bounded_http import BoundedAdapter


@cache
def shared_ssl_context() -> ssl.SSLContext:
    """Return the one context; it checks certificate and host name.

    It trusts what requests does: certifi's list, or, alone, what the environment names in its place.
    """
    bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or where()
    if Path(bundle).is_dir():
        return ssl.create_default_context(capath=bundle)
    try:
        return ssl.create_default_context(cafile=bundle)
    except OSError as error:  # an ssl.SSLError, too: no certificate in it
        raise InputError(LocalizedText("fault.file.unreadable", path=bundle, why=error.strerror or error)) from None


class SharedContextAdapter(BoundedAdapter):
    """HTTPS of requests by the one table, each request in its time."""

    def init_poolmanager(self, *arguments: Any, **parameters: Any) -> None:
        """Let every connection check certificates by the one context."""
        super().init_poolmanager(*arguments, ssl_context=shared_ssl_context(), **parameters)
