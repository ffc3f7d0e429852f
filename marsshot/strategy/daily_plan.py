"""The daily plan: which held tokens to sell, which to buy, and how the capital is split. Pure: values in, plan out.

Never fetches, orders or saves.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import ROUND_DOWN, Decimal

from marsshot.core.amounts import EXACT
from marsshot.core.book import Position, reaches_multiple
from marsshot.core.catalog import LocalizedText
from marsshot.core.decisions import Action, DailyPlan, DailyRules, Decision, PlannedBuy, PlannedSell, left_undone
from marsshot.core.reasons import DecisionReason, SkipReason
from marsshot.core.scores import HitBand, Score

MAX_REASON_LENGTH = 200
REDENOMINATION_RATIO = 10  # a price that many times higher or lower is another unit's

Blocker = tuple[DecisionReason, str]
"""Why a token cannot be bought now, and what a venue or the owner said, in words."""


def is_daily_update_done(day: date, last_done: date | None) -> bool:
    """Return whether the daily update of this UTC day is done; a clock that was ahead may have made a later one."""
    return last_done is not None and last_done >= day


def is_daily_update_due(now: datetime, last_done: date | None, hour_utc: int, minute_utc: int) -> bool:
    """Return True from that time of the day on until the daily update is done; a bot that overslept catches up."""
    return (now.hour, now.minute) >= (hour_utc, minute_utc) and (last_done is None or last_done < now.date())


def may_plan_go_on(plan_day: date, now: datetime, hour_utc: int, minute_utc: int) -> bool:
    """Return whether a plan of that date is still worked off: also past midnight, until the next update is due."""
    if plan_day >= now.date():
        return plan_day == now.date()
    is_next_due = (now.hour, now.minute) >= (hour_utc, minute_utc)
    return plan_day == now.date() - timedelta(days=1) and not is_next_due


def without_other_coins(
    scores: Sequence[Score], prices: Mapping[str, Decimal], max_divergence: Decimal, confirmed: Collection[str] = ()
) -> list[Score]:
    """Take the probability from tokens whose history does not fit the exchange's price: another coin of that ticker.

    prices: the exchange's last, by token. max_divergence is relative to them; exactly that far is still near enough.
    confirmed: held tokens, bought by a history that fitted then, whose price both venues agree on: where that is lower
    than the close, and not by more than a redenomination would be, it has crashed, and its exit needs the score.
    """

    def checked(score: Score) -> Score:
        if score.probability is None or score.last_close is None:
            return score
        price = prices.get(score.symbol)
        if price is None:
            unavailable_reason = LocalizedText("scores.not_compared")
            return replace(
                score, probability=None, unavailable_reason=unavailable_reason, reason=DecisionReason.NOT_COMPARED
            )
        has_crashed = score.symbol in confirmed and is_crash(score.last_close, price)
        is_far = EXACT.abs(EXACT.subtract(score.last_close, price)) > EXACT.multiply(price, max_divergence)
        if is_far and not has_crashed:
            unavailable_reason = LocalizedText("scores.other_coin", close=score.last_close, price=price)
            return replace(
                score, probability=None, unavailable_reason=unavailable_reason, reason=DecisionReason.OTHER_COIN
            )
        return score

    return [checked(score) for score in scores]


def is_crash(last_close: Decimal, price: Decimal) -> bool:
    """Return whether a price is under the close before it by what coins fall, and no more than to a tenth."""
    return last_close / REDENOMINATION_RATIO <= price < last_close


def decide_daily_plan(
    day: date,
    tokens_daily: Sequence[str],
    positions: Mapping[str, Position],
    scores: Mapping[str, Score],
    prices: Mapping[str, Decimal],
    blockers: Mapping[str, Blocker],
    rules: DailyRules,
    *,
    hit_bands: Sequence[HitBand] = (),
) -> DailyPlan:
    """Return the plan of this UTC date, with a decision for every token.

    prices: the price of each held token to go by. blockers: tokens that cannot be bought now, and why.
    """
    held = [
        decide_sell(symbol, position, scores.get(symbol), prices.get(symbol), rules)
        for symbol, position in positions.items()
    ]
    others = [
        decide_buy(symbol, scores.get(symbol), blockers.get(symbol), rules)
        for symbol in tokens_daily
        if symbol not in positions
    ]
    # Python's sort is stable: equals stay in the order of tokens_daily.
    buys = sorted((one for one in others if one.action is Action.BUY), key=lambda one: -(one.probability or 0))
    return DailyPlan(
        day=day,
        sells=tuple(PlannedSell(symbol=one.symbol) for one in held if one.action is Action.SELL),
        buys=tuple(PlannedBuy(symbol=one.symbol, probability=str(one.probability)) for one in buys),
        decisions=tuple(_with_hit_rate(one, hit_bands) for one in held + others),
    )


def _with_hit_rate(decision: Decision, bands: Sequence[HitBand]) -> Decision:
    score = decision.probability
    band = next((band for band in bands if score is not None and band.contains(score)), None)
    return decision if band is None else replace(decision, hit_rate=band.hit_rate, hit_rows=band.rows)


def decide_sell(
    symbol: str, position: Position, score: Score | None, price: Decimal | None, rules: DailyRules
) -> Decision:
    """Decide about a held token: sold under the threshold, unless a big gain lets it skip this once."""

    def decided(action: Action, reason: DecisionReason, told: str = "", quote: Decimal | None = None) -> Decision:
        probability, raw = _scores_of(score)
        return Decision(
            symbol=symbol,
            held=True,
            probability=probability,
            action=action,
            reason=reason,
            told=told,
            quote=quote,
            raw_score=raw,
        )

    if score is None or score.probability is None:
        return decided(Action.KEEP, *_not_scored(score))
    if score.probability >= rules.sell_threshold:
        return decided(Action.KEEP, DecisionReason.AT_SELL_THRESHOLD)
    if price is None:
        return decided(Action.KEEP, DecisionReason.NO_PRICE)
    if reaches_multiple(position, price, rules.big_gain_multiple) and not position.did_skip_sell_once:
        return decided(Action.SKIP_SALE, DecisionReason.BIG_GAIN)
    return decided(Action.SELL, DecisionReason.BELOW_SELL_THRESHOLD, quote=position.qty * price)


def decide_buy(symbol: str, score: Score | None, blockers: Blocker | None, rules: DailyRules) -> Decision:
    """Decide about a token that is not held: bought from the threshold on."""

    def decided(action: Action, reason: DecisionReason, told: str = "") -> Decision:
        probability, raw = _scores_of(score)
        return Decision(
            symbol=symbol,
            held=False,
            probability=probability,
            action=action,
            reason=reason,
            told=told,
            raw_score=raw,
        )

    if score is None or score.probability is None:
        return decided(Action.LEAVE, *_not_scored(score))
    if score.probability < rules.buy_threshold:
        return decided(Action.LEAVE, DecisionReason.BELOW_BUY_THRESHOLD)
    if blockers is not None:
        return decided(Action.LEAVE, *blockers)
    return decided(Action.BUY, DecisionReason.AT_BUY_THRESHOLD)


def _scores_of(score: Score | None) -> tuple[Decimal | None, Decimal | None]:
    """Return the score that decides, and the raw one where that is another."""
    return (None, None) if score is None or score.probability is None else (score.probability, score.raw)


def _not_scored(score: Score | None) -> Blocker:
    return (score.reason, sanitized(score.unavailable_reason)) if score else (DecisionReason.NOT_SCORED, "")


def sanitized(text: str) -> str:
    """Return what a venue said in a form that any file takes: not endless, and without what is no character."""
    told = text[:MAX_REASON_LENGTH].encode("utf-8", errors="replace").decode()
    return text if told == text else told  # a sentence of the catalogue stays one


def settled_decisions(plan: DailyPlan) -> tuple[Decision, ...]:
    """Return the decisions with the amounts of the purchases, and those that got no share, or none any more, left.

    What became of an order that was sent is told by trades.csv, not here.
    """
    buys = {buy.symbol: buy for buy in plan.buys}
    return tuple(_settled(one, buys[one.symbol]) if one.action is Action.BUY else one for one in plan.decisions)


_BY_THE_OWNER = {SkipReason.PAUSED: DecisionReason.PAUSED, SkipReason.EXCLUDED: DecisionReason.EXCLUDED}


def _settled(decision: Decision, buy: PlannedBuy) -> Decision:
    outcome = buy.outcome
    skip_reason = outcome.skip_reason if outcome else None
    if skip_reason is SkipReason.SHARE_TOO_SMALL:
        return replace(decision, action=Action.LEAVE, reason=DecisionReason.SHARE_TOO_SMALL)
    if skip_reason is SkipReason.TOO_LITTLE_MONEY:
        return replace(decision, action=Action.LEAVE, reason=DecisionReason.NOT_IN_SHARE)
    if skip_reason in _BY_THE_OWNER and buy.left == buy.amount:
        return replace(decision, action=Action.LEAVE, reason=_BY_THE_OWNER[skip_reason], quote=None)
    if outcome and buy.amount is None:
        return replace(decision, action=Action.LEAVE, reason=DecisionReason.NOT_TRADED, told=outcome.told)
    if buy.equal_share is not None and buy.amount is not None:
        told = LocalizedText("lever.cut", share=buy.equal_share, amount=buy.amount)
        return replace(decision, reason=DecisionReason.CUT_TO_SHARE, told=told, quote=buy.amount)
    return replace(decision, quote=buy.amount)


def allocate_capital(
    plan: DailyPlan,
    capital: Decimal,
    smallest: Mapping[str, Decimal],
    quote_precision: int = 8,
    most: Decimal | None = None,
) -> DailyPlan:
    """Split the capital equally among the purchases, or among the most probable ones that it is large enough for.

    capital and smallest (by token, the smallest order that the exchange takes) are in quote asset. Shares are rounded
    down to quote_precision decimals. Purchases that go without are given an outcome.
    most: what a purchase may come to; what a share is cut by goes to no other, it stays cash.
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
        if buy.symbol in chosen and most is not None and most < share:
            return _cut_to(buy, most, share, smallest[buy.symbol])
        if buy.symbol in chosen:
            return replace(buy, amount=share, left=share)
        return replace(buy, outcome=left_undone(SkipReason.TOO_LITTLE_MONEY))

    return replace(plan, buys=tuple(with_share(buy) for buy in plan.buys), shared_out=True)


def _cut_to(buy: PlannedBuy, most: Decimal, share: Decimal, smallest: Decimal) -> PlannedBuy:
    if most <= 0 or most < smallest:
        return replace(buy, outcome=left_undone(SkipReason.SHARE_TOO_SMALL))
    return replace(buy, amount=most, left=most, equal_share=share)
