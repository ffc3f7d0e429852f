"""The daily plan: which held tokens to sell, which to buy, and how the capital is split. Pure: values in, plan out.

Never fetches, orders or saves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import ROUND_DOWN, Decimal

from domain import EXACT, DailyPlan, DailyRules, PlannedBuy, PlannedSell, Position, Score, reaches_multiple


@dataclass(frozen=True, slots=True)
class Decision:
    """What the pass decided about one token, and why, in words."""

    symbol: str
    probability: Decimal | None
    action: str  # sell, skip_sale, hold, buy, none
    why: str


def is_daily_update_due(now: datetime, last_done: date | None, hour_utc: int, minute_utc: int) -> bool:
    """Return True from that time of the day on until the pass is done; a bot that overslept catches up."""
    return (now.hour, now.minute) >= (hour_utc, minute_utc) and (last_done is None or last_done < now.date())


def without_other_coins(scores: Sequence[Score], prices: Mapping[str, Decimal], max_divergence: Decimal) -> list[Score]:
    """Take the probability from tokens whose history does not fit Binance's price: another coin of the same ticker.

    prices: Binance's last, by token. max_divergence is relative to them; exactly that far is still near enough.
    """

    def checked(score: Score) -> Score:
        if score.probability is None or score.last_close is None:
            return score
        price = prices.get(score.symbol)
        if price is None:
            return replace(score, probability=None, why_not="Binance has no price to check its history against")
        if EXACT.abs(EXACT.subtract(score.last_close, price)) > EXACT.multiply(price, max_divergence):
            closes = f"LunarCrush's last close {score.last_close:.8g}, Binance's price {price:.8g}"
            reason = f"{closes}: too far apart, perhaps another coin of that name"
            return replace(score, probability=None, why_not=reason)
        return score

    return [checked(score) for score in scores]


def decide_daily_plan(
    day: date,
    tokens_daily: Sequence[str],
    positions: Mapping[str, Position],
    scores: Mapping[str, Score],
    prices: Mapping[str, Decimal],
    not_for_sale: Mapping[str, str],
    rules: DailyRules,
) -> tuple[DailyPlan, list[Decision]]:
    """Return the plan of this UTC date and a decision for every token.

    prices: the price of each held token to go by. not_for_sale: tokens that cannot be bought now, and why.
    """
    held = [
        decide_sell(symbol, position, scores.get(symbol), prices.get(symbol), rules)
        for symbol, position in positions.items()
    ]
    others = [
        decide_buy(symbol, scores.get(symbol), not_for_sale.get(symbol, ""), rules)
        for symbol in tokens_daily
        if symbol not in positions
    ]
    # Python's sort is stable: equals stay in the order of tokens_daily.
    buys = sorted((one for one in others if one.action == "buy"), key=lambda one: -(one.probability or 0))
    plan = DailyPlan(
        day=day,
        sells=tuple(PlannedSell(symbol=one.symbol) for one in held if one.action == "sell"),
        buys=tuple(PlannedBuy(symbol=one.symbol, probability=str(one.probability)) for one in buys),
    )
    return plan, held + others


def decide_sell(
    symbol: str, position: Position, score: Score | None, price: Decimal | None, rules: DailyRules
) -> Decision:
    """Decide about a held token: sold under the threshold, unless a big gain lets it skip this once."""
    probability = score.probability if score else None
    if probability is None:
        return Decision(symbol, None, "hold", f"no probability: {score.why_not if score else 'not scored'}")
    if probability >= rules.sell_threshold:
        return Decision(symbol, probability, "hold", f"not under {rules.sell_threshold}")
    if price is None:
        return Decision(symbol, probability, "hold", f"under {rules.sell_threshold}, but no venue has a price")
    big_gain = reaches_multiple(position, price, rules.big_gain_multiple)
    if big_gain and not position.did_skip_sell_once:
        why = f"under {rules.sell_threshold}, but at x{rules.big_gain_multiple} or more: this sale is skipped, once"
        return Decision(symbol, probability, "skip_sale", why)
    return Decision(symbol, probability, "sell", f"under {rules.sell_threshold}")


def decide_buy(symbol: str, score: Score | None, not_for_sale: str, rules: DailyRules) -> Decision:
    """Decide about a token that is not held: bought from the threshold on."""
    probability = score.probability if score else None
    if probability is None:
        return Decision(symbol, None, "none", f"no probability: {score.why_not if score else 'not scored'}")
    if probability < rules.buy_threshold:
        return Decision(symbol, probability, "none", f"under {rules.buy_threshold}")
    if not_for_sale:
        return Decision(symbol, probability, "none", not_for_sale)
    return Decision(symbol, probability, "buy", f"{rules.buy_threshold} or more")


def share_out(
    plan: DailyPlan, capital: Decimal, smallest: Mapping[str, Decimal], quote_precision: int = 8
) -> DailyPlan:
    """Split the capital equally among the purchases, or among the most probable ones that it is large enough for.

    capital and smallest (by token, the smallest order that the exchange takes) are in quote asset. Shares are rounded
    down to quote_precision decimals. Purchases that go without are given an outcome.
    """
    open_buys = [buy for buy in plan.buys if not buy.outcome]
    unit = Decimal(1).scaleb(-quote_precision)
    for count in range(len(open_buys), 0, -1):
        share = (max(capital, Decimal(0)) / count).quantize(unit, rounding=ROUND_DOWN)
        if share > 0 and all(share >= smallest[buy.symbol] for buy in open_buys[:count]):
            break
    else:
        count, share = 0, Decimal(0)
    chosen = {buy.symbol for buy in open_buys[:count]}

    def with_share(buy: PlannedBuy) -> PlannedBuy:
        if buy.outcome:
            return buy
        if buy.symbol in chosen:
            return replace(buy, amount=share, left=share)
        return replace(buy, outcome="left: too little money for one more order")

    return replace(plan, buys=tuple(with_share(buy) for buy in plan.buys), shared_out=True)
