"""Addresses in config.yaml: what one may be, and which are on this machine."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from marsshot.core.catalog import LocalizedText


def _origin(value: str) -> str:
    """Check scheme://host[:port]; plain http is for loopback only."""
    parts = urlsplit(value)
    try:
        _ = parts.port
    except ValueError:
        raise ValueError(LocalizedText("fault.config.needed.port")) from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(LocalizedText("fault.config.needed.origin"))
    too_much = parts.path not in {"", "/"} or parts.query or parts.fragment or parts.username or parts.password
    if too_much or re.search(r"[\s?#]", value):
        raise ValueError(LocalizedText("fault.config.needed.origin_alone"))
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError(LocalizedText("fault.config.needed.https"))
    return value.rstrip("/")


def is_secure(url: str) -> bool:
    """Return whether nobody on the way can read what is sent there."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    secure = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
    return secure and bool(parts.hostname)


def is_loopback(host: str) -> bool:
    """Return whether this host, a name or an address, is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_loopback_origin(base_url: str) -> bool:
    """Return whether this origin is on this machine."""
    return is_loopback(urlsplit(base_url).hostname or "")


Origin = Annotated[str, Field(strict=True), AfterValidator(_origin)]
