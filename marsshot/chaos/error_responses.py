"""Answers that Binance gives when something is wrong: status, body, headers; and what no answer looks like to a client.

Codes and texts are Binance's own (errors.md of its API documentation). Values only.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

HTML = b"<html><body><h1>503 Service Temporarily Unavailable</h1></body></html>"


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of the wire."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


def refusal(code: int, text: str, status: int = 400, **headers: str) -> Answer:
    """Return an error body of Binance's."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, json.dumps({"code": code, "msg": text}).encode(), named)


# An order answered so was certainly not executed.
ORDER_REFUSALS = (
    refusal(-1013, "Filter failure: LOT_SIZE"),
    refusal(-1013, "Filter failure: NOTIONAL"),
    refusal(-1013, "Filter failure: MARKET_LOT_SIZE"),
    refusal(-1013, "Market is closed."),
    refusal(-1121, "Invalid symbol."),
    refusal(-2010, "Account has insufficient balance for requested action."),
    refusal(-2010, "This symbol is not permitted for this account."),
    refusal(-2010, "This action is disabled on this account."),
)
# Any request may be answered so; nothing was executed.
REFUSALS = (
    refusal(-1021, "Timestamp for this request is outside of the recvWindow."),
    refusal(-1003, "Too many requests queued.", 429, Retry_After="40"),
    refusal(-1003, "Way too much request weight used; IP banned until 1613349180000.", 418, Retry_After="180"),
    refusal(-1015, "Too many new orders; current limit is 100 orders per 10 SECOND.", 429),
    refusal(-2015, "Invalid API-key, IP, or permissions for action.", 401),
    refusal(0, "Service unavailable from a restricted location according to 'b. Eligibility'.", 451),
    Answer(403, HTML, {"Content-Type": "text/html"}),
)
# An order answered so may or may not have been executed.
DOUBTFUL = (
    Answer(503, HTML, {"Content-Type": "text/html"}),
    Answer(502, b""),
    Answer(504, HTML),
    Answer(500, b'["unknown"]'),
    Answer(200, b""),
    Answer(200, b"{"),
    Answer(200, b"null"),
    refusal(-1000, "An unknown error occurred while processing the request.", 500),
    refusal(-1001, "Internal error; unable to process your request. Please try again."),
    refusal(-1006, "An unexpected response was received from the message bus. Execution status unknown.", 503),
    refusal(-1007, "Timeout waiting for response from backend server. Send status unknown.", 504),
    refusal(-1008, "Server is currently overloaded with other requests. Please try again in a few minutes.", 503),
)
SILENCES = ("time-out", "cut", "truncated")
