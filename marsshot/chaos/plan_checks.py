"""What a daily plan must be: of the scores of its day, and of money that there is. Shares no code with the bot's rules.

Takes books as they stand in the file and what is true; returns what is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

Rows = Mapping[str, Any]
BUY_FROM, SELL_UNDER = Decimal("0.70"), Decimal("0.30")
BIG_GAIN = Decimal(4)
_MAY_KEEP = {"no_price"}
_MAY_LEAVE = {
    "paused",
    "order_in_doubt",
    "not_traded",
    "unknown_pair",
    "not_compared",
    "other_coin",
    "disk_full",
}
_CENT = Decimal("0.01")


def faults_of_decisions(
    before: Rows, plan: Rows, scores: Mapping[str, str | None], highest: Mapping[str, Decimal]
) -> Iterator[str]:
    """Hold a plan that has just been made against the scores of its day. highest: true prices, with some tolerance."""
    decisions = {one["symbol"]: one for one in plan["decisions"]}
    sells, buys = ({step["symbol"] for step in plan[side]} for side in ("sells", "buys"))
    for symbol, text in scores.items():
        score, held = Decimal(text) if text else None, before["positions"].get(symbol)
        reason = decisions.get(symbol, {}).get("reason")
        if held is None:
            may_leave = reason in _MAY_LEAVE or (reason == "excluded" and symbol in before.get("excluded", ()))
            if score is not None and score >= BUY_FROM and symbol not in buys and not may_leave:
                yield f"{symbol} has the score {score} and is not to be bought: {reason}"
            continue
        if symbol in buys:
            yield f"{symbol} is held and to be bought"
        if score is None or score >= SELL_UNDER:
            continue
        may_skip = not held["did_skip_sell_once"] and highest[symbol] >= Decimal(held["entry_price"]) * BIG_GAIN
        if symbol not in sells and reason not in _MAY_KEEP and not may_skip:
            yield f"{symbol} has the score {score} and is not to be sold: {reason}"


def faults_of_amounts(book: Rows, free: Decimal, enough: Decimal) -> Iterator[str]:
    """Hold the amounts of a plan that has just been shared out against the money.

    free: on the account; enough: for a purchase of any of its tokens.
    """
    buys = book["plan"]["buys"]
    amounts = [Decimal(buy["amount"]) for buy in buys if buy["amount"] is not None]
    in_doubt = sum((Decimal(one["quote_amount"] or 0) for one in book["intents"].values()), Decimal(0))
    capital = max(min(Decimal(book["capital_usdt"]) - in_doubt, free), Decimal(0))
    if len(set(amounts)) > 1:
        yield f"the shares differ: {', '.join(map(str, amounts))}"
    if (total := sum(amounts, Decimal(0))) > capital:
        yield f"{total} shared out, {capital} may be spent"
    if amounts and total < capital - _CENT * len(amounts):
        yield f"{total} shared out of {capital}"
    left_out = [one for one in buys if one["outcome"] and one["outcome"].get("skip_reason") == "too_little_money"]
    if left_out and capital / (len(amounts) + 1) >= enough:
        yield f"{left_out[0]['symbol']} got no share of {capital}"
