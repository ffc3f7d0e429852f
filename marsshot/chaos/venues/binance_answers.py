"""Error responses of Binance: status, body, headers.

Codes and texts are Binance's own (errors.md of its API documentation). Values only.
"""

from __future__ import annotations

import json

from marsshot.chaos.venues.base import HttpAnswer

HTML = b"<html><body><h1>503 Service Temporarily Unavailable</h1></body></html>"


def error_answer(code: int, text: str, status: int = 400, **headers: str) -> HttpAnswer:
    """Return an error body of Binance's."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpAnswer(status, json.dumps({"code": code, "msg": text}).encode(), named)


# An order answered so was certainly not executed.
ORDER_REJECTIONS = (
    error_answer(-1013, "Filter failure: LOT_SIZE"),
    error_answer(-1013, "Filter failure: NOTIONAL"),
    error_answer(-1013, "Filter failure: MARKET_LOT_SIZE"),
    error_answer(-1013, "Market is closed."),
    error_answer(-1121, "Invalid symbol."),
    error_answer(-2010, "Account has insufficient balance for requested action."),
    error_answer(-2010, "This symbol is not permitted for this account."),
    error_answer(-2010, "This action is disabled on this account."),
)
# Any request may be answered so; nothing was executed.
REJECTIONS = (
    error_answer(-1021, "Timestamp for this request is outside of the recvWindow."),
    error_answer(-1003, "Too many requests queued.", 429, Retry_After="40"),
    error_answer(-1003, "Way too much request weight used; IP banned until 1613349180000.", 418, Retry_After="180"),
    error_answer(-1015, "Too many new orders; current limit is 100 orders per 10 SECOND.", 429),
    error_answer(-2015, "Invalid API-key, IP, or permissions for action.", 401),
    error_answer(0, "Service unavailable from a restricted location according to 'b. Eligibility'.", 451),
    HttpAnswer(403, HTML, {"Content-Type": "text/html"}),
)
# An order answered so may or may not have been executed.
AMBIGUOUS_RESPONSES = (
    HttpAnswer(503, HTML, {"Content-Type": "text/html"}),
    HttpAnswer(502, b""),
    HttpAnswer(504, HTML),
    HttpAnswer(500, b'["unknown"]'),
    HttpAnswer(200, b""),
    HttpAnswer(200, b"{"),
    HttpAnswer(200, b"null"),
    error_answer(-1000, "An unknown error occurred while processing the request.", 500),
    error_answer(-1001, "Internal error; unable to process your request. Please try again."),
    error_answer(-1006, "An unexpected response was received from the message bus. Execution status unknown.", 503),
    error_answer(-1007, "Timeout waiting for response from backend server. Send status unknown.", 504),
    error_answer(-1008, "Server is currently overloaded with other requests. Please try again in a few minutes.", 503),
)
