"""How the book changes: an intent is noted or dropped, a fill moves position, capital, plan and trade rows in one step.

Pure: a book in, a new book out. Never saves, sends or decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal

from marsshot.core.amounts import ZERO
from marsshot.core.book import Book, Position, TradeRow
from marsshot.core.decisions import BOUGHT, DailyPlan, PlannedBuy, StepOutcome
from marsshot.core.moments import utc_text
from marsshot.core.orders import AbsentOrder, Fill, Intent, Side
from marsshot.core.reasons import OrderReason
from marsshot.portfolio.serialization import decimal_text

_TWELVE_DIGITS = Context(prec=12, rounding=ROUND_HALF_EVEN)


def new_book(mode: str, quote_asset: str, capital: Decimal, now: datetime, exchange: str = "binance") -> Book:
    """Return the book of a bot that starts for the first time."""
    return Book(
        mode=mode,
        exchange=exchange,
        quote_asset=quote_asset,
        capital=capital,
        capital_started=capital,
        started_at=utc_text(now),
        reconciled_ms=int(now.timestamp() * 1000),
    )


def with_intent(book: Book, intent: Intent) -> Book:
    """Note an order that is about to be sent."""
    return replace(book, intents={**book.intents, intent.client_order_id: intent}, order_serial=book.order_serial + 1)


def without_intent(book: Book, intent: Intent) -> Book:
    """Drop an order that certainly executed nothing."""
    return replace(book, intents={key: held for key, held in book.intents.items() if key != intent.client_order_id})


def with_absence(book: Book, intent: Intent) -> Book:
    """Drop an order that was proven never taken, and keep it in mind."""
    absent = {**book.absent_orders, intent.client_order_id: AbsentOrder(intent=intent)}
    return replace(without_intent(book, intent), absent_orders=absent)


def without_absence(book: Book, client_order_id: str) -> Book:
    """Forget an order that was proven never taken."""
    kept = {name: one for name, one in book.absent_orders.items() if name != client_order_id}
    return replace(book, absent_orders=kept)


def with_double_told(book: Book, client_order_id: str) -> Book:
    """Note that the owner knows of an order that executed besides the one in its place."""
    told = replace(book.absent_orders[client_order_id], is_told=True)
    return replace(book, absent_orders={**book.absent_orders, client_order_id: told})


def without_told_doubles(book: Book) -> Book:
    """Leave to the owner what executed besides the orders in their place: he has been told, and has resumed."""
    return replace(book, absent_orders={name: one for name, one in book.absent_orders.items() if not one.is_told})


def _with_replacement_noted(book: Book, intent: Intent) -> Book:
    """Note that another order has executed in place of those that were never taken."""
    name = intent.client_order_id
    noted = {
        other: replace(one, replaced_by=name)
        if (one.intent.symbol, one.intent.side) == (intent.symbol, intent.side) and other != name
        else one
        for other, one in book.absent_orders.items()
    }
    return without_absence(replace(book, absent_orders=noted), name)


def with_position(book: Book, symbol: str, position: Position | None) -> Book:
    """Put a position in place of the one held; None closes it."""
    others = {key: held for key, held in book.positions.items() if key != symbol}
    return replace(book, positions=others if position is None else {**others, symbol: position})


def with_fill(book: Book, intent: Intent, fill: Fill) -> Book:
    """Book what an order executed: intent, position, capital, plan and trade rows change together."""
    booked = _with_buy(book, intent, fill) if intent.side is Side.BUY else _with_sale(book, intent, fill)
    if intent.side is Side.SELL and intent.reason is OrderReason.STOP_LOSS:
        booked = replace(booked, stop_losses={**book.stop_losses, intent.symbol: _moment(fill).date()})
    profit = _realised(book, intent, fill) if intent.side is Side.SELL else None
    row = _trade_row(intent, fill, profit)
    booked = _with_replacement_noted(booked, intent) if booked.absent_orders else booked
    return replace(
        without_intent(booked, intent),
        unwritten_trades=(*booked.unwritten_trades, row),
        booked_orders={**booked.booked_orders, intent.client_order_id: fill.time_ms},
    )


def _with_buy(book: Book, intent: Intent, fill: Fill) -> Book:
    cost = fill.quote + fill.fee_in(book.quote_asset)
    book = replace(book, capital=book.capital - cost, plan=_plan_after_buy(book.plan, intent, fill))
    bought = fill.base - fill.fee_in(intent.base_asset)
    held = book.positions.get(intent.symbol)
    if bought <= 0 and held is None:
        return book
    if held is None:
        position = Position(
            qty=bought,
            entry_quote=fill.quote,
            entry_base=fill.base,
            cost=cost,
            max_price=fill.price,
            opened_at=_time_text(fill),
        )
    else:
        entry_quote, entry_base = held.entry_quote + fill.quote, held.entry_base + fill.base
        entry = entry_quote / entry_base
        top = max(held.max_price, entry) if held.trailing_armed else entry
        position = replace(
            held,
            qty=held.qty + bought,
            entry_quote=entry_quote,
            entry_base=entry_base,
            cost=held.cost + cost,
            max_price=top,
        )
    return with_position(book, intent.symbol, position)


def _plan_after_buy(plan: DailyPlan | None, intent: Intent, fill: Fill) -> DailyPlan | None:
    """Take what was ordered off what is left to order; an order that ended short of its amount ends the purchase."""
    if plan is None or intent.reason is not OrderReason.DAILY_BUY:
        return plan

    def after(buy: PlannedBuy) -> PlannedBuy:
        if buy.symbol != intent.symbol or buy.left is None or intent.quote_amount is None:
            return buy
        left = buy.left - intent.quote_amount if fill.status == "FILLED" else ZERO
        return replace(buy, left=max(left, ZERO), outcome=None if left > 0 else BOUGHT)

    return replace(plan, buys=tuple(after(buy) for buy in plan.buys))


def _with_sale(book: Book, intent: Intent, fill: Fill) -> Book:
    book = replace(book, capital=book.capital + fill.quote - fill.fee_in(book.quote_asset))
    held = book.positions.get(intent.symbol)
    if held is None:
        return book
    sold_quantity = fill.base + fill.fee_in(intent.base_asset)
    rest = held.qty - sold_quantity
    if _closes(held, sold_quantity, intent):
        dust = {**book.dust, intent.base_asset: book.dust.get(intent.base_asset, ZERO) + max(rest, ZERO)}
        kept = {asset: amount for asset, amount in dust.items() if amount > 0}
        return with_position(replace(book, dust=kept), intent.symbol, None)
    cost = held.cost * rest / held.qty
    return with_position(book, intent.symbol, _after_partial_sale(replace(held, qty=rest, cost=cost), intent, fill))


def _after_partial_sale(held: Position, intent: Intent, fill: Fill) -> Position:
    """Set the flags of what remains: a partial sale is done, or goes on above the largest order; a full one goes on."""
    if intent.reason is not OrderReason.PARTIAL_TAKE_PROFIT:
        return replace(held, exit_pending=intent.reason)
    left = (held.partial_left or ZERO) - fill.base
    if fill.status == "FILLED" and left >= intent.lot_step and left > 0:
        return replace(held, partial_left=left)
    return replace(held, partial_sold=True, partial_left=None)


def _realised(book: Book, intent: Intent, fill: Fill) -> Decimal | None:
    held = book.positions.get(intent.symbol)
    if held is None:
        return None
    sold_quantity = fill.base + fill.fee_in(intent.base_asset)
    # Dust is written off with the sale that leaves it, so that all profits add up to the change of the capital.
    cost = held.cost if _closes(held, sold_quantity, intent) else held.cost * sold_quantity / held.qty
    return fill.quote - fill.fee_in(book.quote_asset) - cost


def _closes(held: Position, sold_quantity: Decimal, intent: Intent) -> bool:
    """Return whether a sale leaves nothing, or less than one lot step."""
    rest = held.qty - sold_quantity
    return rest < intent.lot_step or rest <= 0


def _trade_row(intent: Intent, fill: Fill, profit: Decimal | None) -> TradeRow:
    fees = _in_order(fill.fees)
    return TradeRow(
        time=_time_text(fill),
        symbol=intent.symbol,
        side=intent.side.value,
        reason=intent.reason.value,
        qty=fill.base,
        price=_TWELVE_DIGITS.divide(fill.quote, fill.base),
        quote=fill.quote,
        fee="+".join(decimal_text(amount) for amount in fees.values()),
        fee_asset="+".join(fees),
        client_order_id=intent.client_order_id,
        pair=intent.pair,
        order_id=fill.order_id,
        status=fill.status,
        profit="" if profit is None else decimal_text(_TWELVE_DIGITS.plus(profit)),
    )


def _in_order(fees: Mapping[str, Decimal]) -> dict[str, Decimal]:
    return dict(sorted(fees.items()))


def _time_text(fill: Fill) -> str:
    return utc_text(_moment(fill))


def _moment(fill: Fill) -> datetime:
    return datetime.fromtimestamp(fill.time_ms / 1000, UTC)


def with_everything_for_sale(book: Book) -> Book:
    """Mark every position for a full sale at the next check."""
    marked = {symbol: replace(held, exit_pending=OrderReason.SELL_ALL) for symbol, held in book.positions.items()}
    return replace(book, positions=marked)


# --------------------------------------------------------------------------- the daily plan


def with_plan(book: Book, plan: DailyPlan, skipped: frozenset[str]) -> Book:
    """Put a new plan into the book, and note which positions have used their one skipped sale."""
    positions = {
        symbol: replace(position, did_skip_sell_once=True) if symbol in skipped else position
        for symbol, position in book.positions.items()
    }
    return replace(book, plan=plan, positions=positions)


def with_sell_outcome(book: Book, symbol: str, outcome: StepOutcome) -> Book:
    """Say how a planned sale ended."""
    if book.plan is None:
        return book
    sells = tuple(replace(step, outcome=outcome) if step.symbol == symbol else step for step in book.plan.sells)
    return replace(book, plan=replace(book.plan, sells=sells))


def with_buy_outcome(book: Book, symbol: str, outcome: StepOutcome) -> Book:
    """Say how a planned purchase ended."""
    if book.plan is None:
        return book
    buys = tuple(replace(step, outcome=outcome) if step.symbol == symbol else step for step in book.plan.buys)
    return replace(book, plan=replace(book.plan, buys=buys))


def with_daily_update_done(book: Book, day: date) -> Book:
    """Close the plan: the daily update of this UTC date is done."""
    return replace(book, plan=None, last_daily_update=day)
