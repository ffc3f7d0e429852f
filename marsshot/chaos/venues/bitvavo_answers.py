"""Error responses of Bitvavo: status, body, headers.

Codes and texts are Bitvavo's own (its documentation, errors). Values only.
"""

from __future__ import annotations

import json

from marsshot.chaos.venues.base import HttpAnswer

HTML = b"<html><body><h1>502 Bad Gateway</h1></body></html>"


def error_answer(status: int, code: int, text: str) -> HttpAnswer:
    """Return an error body of Bitvavo's."""
    return HttpAnswer(status, json.dumps({"errorCode": code, "error": text}).encode())


# An order answered so was certainly not executed.
ORDER_REJECTIONS = (
    error_answer(400, 203, "operatorId parameter is required."),
    error_answer(400, 205, "amountQuote parameter is invalid."),
    error_answer(400, 212, "amount is below the minimum allowed amount."),
    error_answer(400, 216, "You do not have sufficient balance to complete this operation."),
    error_answer(400, 217, "Minimum order size in quote currency is 5 EUR."),
    error_answer(400, 231, "100 open orders."),
    error_answer(400, 423, "Market is halted."),
    error_answer(400, 424, "Market is in cancel only mode."),
    error_answer(400, 425, "Market is in auction."),
    error_answer(400, 429, "amount has too many decimal digits."),
    error_answer(409, 431, "Market is matching its auction."),
    error_answer(503, 107, "The matching engine is overloaded. Please wait 500ms and resubmit your order."),
    error_answer(503, 111, "The matching engine is temporarily unavailable."),
)
# Any request may be answered so; nothing was executed.
REJECTIONS = (
    error_answer(403, 304, "Request was not received within acceptable window."),
    error_answer(429, 105, "Rate limit exceeded. Your API key is blocked until the reset."),
    error_answer(429, 110, "Invalid endpoint or rate limit exceeded."),
    error_answer(403, 305, "No active API key found."),
    error_answer(403, 307, "This key does not allow access from this IP."),
    error_answer(403, 310, "This key does not allow trading actions."),
    error_answer(403, 317, "This account is locked."),
    HttpAnswer(403, HTML, {"Content-Type": "text/html"}),
)
# An order answered so may or may not have been executed.
AMBIGUOUS_RESPONSES = (
    HttpAnswer(502, HTML, {"Content-Type": "text/html"}),
    HttpAnswer(504, b""),
    HttpAnswer(200, b""),
    HttpAnswer(200, b"{"),
    HttpAnswer(200, b"null"),
    HttpAnswer(200, b'["unknown"]'),
    error_answer(400, 220, "An order with this clientOrderId exists already."),
    error_answer(400, 400, "Unknown error. Please contact support."),
    error_answer(500, 101, "Unknown error. The operation may or may not have succeeded."),
    error_answer(500, 400, "Unknown error. Please contact support."),
    error_answer(503, 108, "This request could not be processed in time."),
    error_answer(503, 109, "Cannot guarantee that the operation was processed. It may or may not have succeeded."),
    error_answer(503, 419, "The server is unavailable."),
)
