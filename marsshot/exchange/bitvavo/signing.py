"""How Bitvavo wants a request signed. Pure: the bytes that are sent go in, a signature comes out."""

from __future__ import annotations

import hmac


def signature(secret: str, timestamp_ms: int, method: str, path: str, body: bytes) -> str:
    """Return the HMAC-SHA256, in hex, of moment, method, path with its query (/v2/...), and body, as they are sent."""
    signed = f"{timestamp_ms}{method}{path}".encode() + body
    return hmac.digest(secret.encode(), signed, "sha256").hex()
