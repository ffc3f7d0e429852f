"""The recorded market as the bot sees it: an exchange and Coinbase's prices, both without HTTP.

Orders are filled by the embedded market's own exchange, so that demo and backtest agree to the last digit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from embedded_market.coinbase.api import UNLISTED_AT_COINBASE
from embedded_market.exchange.matching import Exchange as MatchingEngine
from embedded_market.exchange.orders import MarketOrder, Moment, Order, OrderRejectedError
from embedded_market.exchange.pair_rules import PairRules, symbol_row
from embedded_market.market_data.history import SECONDS_PER_DAY
from embedded_market.market_data.price_board import PriceBoard
from embedded_market.market_data.price_path import STEP_SECONDS, DayPath
from marsshot.backtesting.history.bar_csv import DECIMALS
from marsshot.backtesting.history.intraday_bars import Ints
from marsshot.backtesting.history.market_history import Dataset
from marsshot.backtesting.simulation.trading_costs import (
    median_daily_volume,
    plausible_rules,
    recorded_rules,
    spread_width,
    with_fine_enough_tick,
)
from marsshot.config.settings import Settings
from marsshot.core.orders import (
    ExecutedOrder,
    Intent,
    OrderId,
    OrderReport,
    OwnOrder,
    PartFill,
    Side,
    new_client_order_id,
)
from marsshot.core.reasons import OrderReason, QuietReason
from marsshot.core.trading_rules import Account, TradingRules
from marsshot.exchange.base import AbsenceProof, PricesCallback
from marsshot.exchange.binance.errors import order_error
from marsshot.exchange.binance.trading_rules import trading_rules_of
from marsshot.infra.clock import Clock
from marsshot.market_data.coinbase import (
    MissingPrice,
    MissingPriceReason,
    SpotAnswer,
    SpotPrice,
    SpotPricesCallback,
)
from marsshot.market_data.price_aggregator import choose_price

BAD_REQUEST = 400
FINER = 10  # Coinbase's prices have one decimal more than the path inside a day
_WIRE_UNIT = Decimal(1).scaleb(-DECIMALS)
_SPOT = frozenset({"SPOT"})


class RecordedPrices(PriceBoard):
    """Prices at a moment: those of recorded bars inside the day where there are any, else the embedded market's way."""

    def __init__(self, dataset: Dataset) -> None:
        super().__init__(dataset.history, seed=0, shift_days=0)
        self._intraday = dataset.intraday
        self._moment_asked = -1.0
        self._prices: dict[str, Decimal] = {}  # at that moment: each is asked for several times

    def price(self, coin: str, now: float) -> Decimal:
        """Return Binance's last price."""
        if now != self._moment_asked:
            self._moment_asked, self._prices = now, {}
        if coin not in self._prices:
            self._prices[coin] = self._price(coin, now)
        return self._prices[coin]

    def _price(self, coin: str, now: float) -> Decimal:
        bars = self._intraday.get(coin)
        if bars is None or int(now) // SECONDS_PER_DAY not in bars.days:
            return super().price(coin, now)
        return Decimal(bars.tick_at(int(now))).scaleb(-DECIMALS)

    def quoted(self, dollars: Decimal) -> Decimal:
        """Return a recorded price as the exchange tells it."""
        return dollars

    def coinbase_quoted(self, dollars: Decimal) -> Decimal:
        """Return a recorded price as Coinbase tells it."""
        return dollars

    def coinbase_price(self, coin: str, now: float) -> Decimal:
        """Return Coinbase's price: the recorded one itself; on the way between daily bars the embedded market's."""
        bars = self._intraday.get(coin)
        if bars is None or int(now) // SECONDS_PER_DAY not in bars.days:
            return Decimal(self.coinbase_text(coin, now))
        return self.price(coin, now)

    def ticks_at(self, coin: str, moments: Ints) -> tuple[Ints, int, bool]:
        """Return Binance's price at each of these moments (unix seconds, in order), in ticks of so many decimals.

        And whether Coinbase's differs from it on some of these days.
        """
        bars, decimals = self._intraday.get(coin), self.history.coins[coin].decimals
        if bars is not None and bars.days.issuperset(_days_of(moments)):
            return bars.ticks_at(moments), decimals, False
        return self._ticks_along(coin, moments, self.path_of), decimals, True

    def coinbase_ticks_at(self, coin: str, moments: Ints) -> Ints:
        """Return Coinbase's price at each of these moments, in ticks of one decimal more."""
        return self._ticks_along(coin, moments, self.coinbase_path_of, finer=FINER)

    def _ticks_along(self, coin: str, moments: Ints, path_of: Callable[[str, int], DayPath], *, finer: int = 1) -> Ints:
        """Return the ticks of the days' paths. finer: what a tick of bars inside the day is then worth."""
        bars, found = self._intraday.get(coin), np.empty(len(moments), dtype=np.int64)
        for day in _days_of(moments):
            inside = moments // SECONDS_PER_DAY == day
            if bars is not None and day in bars.days:
                found[inside] = bars.ticks_at(moments[inside]) * finer
            else:
                steps = moments[inside] % SECONDS_PER_DAY // STEP_SECONDS
                found[inside] = np.array(path_of(coin, day).ticks)[steps]
        return found


def _days_of(moments: Ints) -> range:
    return range(int(moments[0]) // SECONDS_PER_DAY, int(moments[-1]) // SECONDS_PER_DAY + 1)


def is_at_coinbase(coin: str) -> bool:
    """Return whether Coinbase tells a price of the coin."""
    return coin not in UNLISTED_AT_COINBASE


class RecordedCoinbase:
    """Spot prices, told at once."""

    def __init__(self, board: RecordedPrices, clock: Clock) -> None:
        self._board = board
        self._clock = clock

    def request_spot_prices(self, assets: Collection[str], callback: SpotPricesCallback) -> None:
        """Tell the USD price of each asset, or why there is none."""
        now = self._clock.now().timestamp()
        callback({asset: _spot_answer(self._board, asset, now) for asset in assets})

    def cancel_pending(self) -> None:
        """Do nothing: nothing is under way."""

    def close(self) -> None:
        """Do nothing: nothing is open."""


def _spot_answer(board: RecordedPrices, asset: str, now: float) -> SpotAnswer:
    if not is_at_coinbase(asset) or not board.is_listed(asset, now):
        return MissingPrice(MissingPriceReason.UNKNOWN)
    return SpotPrice(board.coinbase_price(asset, now))


def prices_to_go_by(
    board: RecordedPrices, settings: Settings, tokens: Collection[str], moment: datetime
) -> dict[str, Decimal]:
    """Return the prices that a check at this moment would go by, of the tokens that have one."""
    now, prices = moment.timestamp(), dict[str, Decimal]()
    for token in tokens:
        coin = settings.binance_asset(token)
        binance = board.price(coin, now) if board.is_listed(coin, now) else None
        spot = _spot_answer(board, settings.coinbase_asset(token), now)
        quote = choose_price(spot, binance, settings.strategy.max_price_divergence)
        if quote.price is not None:
            prices[token] = quote.price
    return prices


class RecordedExchange:
    """The exchange that the executor sends its orders to."""

    absence_proof = AbsenceProof(after_sending_ms=0, between_looks_ms=0)  # an order is filled while it is sent

    def __init__(self, board: RecordedPrices, matching: MatchingEngine, clock: Clock, dataset: Dataset) -> None:
        self._board = board
        self._matching = matching
        self._clock = clock
        self._dataset_of = dataset
        self._rules: dict[tuple[str, str], TradingRules] = {}
        self._bases = {name: pair.rules.base for name, pair in matching.pairs.items()}
        first_days = {name: dataset.history.coins[base].first_day for name, base in self._bases.items()}
        self._listed_from = {name: day * SECONDS_PER_DAY for name, day in first_days.items()}
        self.quiet_until_ms = 0
        self.quiet_reason = QuietReason.TROUBLE

    def new_order_id(self, serial: int, reason: OrderReason) -> str:
        """Return a client order id that was never used."""
        return new_client_order_id(self.now_ms(), serial, reason)

    def now_ms(self) -> int:
        """Return the time."""
        return round(self._now() * 1000)

    def server_ms(self) -> int:
        """Return the time."""
        return self.now_ms()

    def prices(self, pairs: Collection[str]) -> Mapping[str, Decimal]:
        """Return the last prices of the pairs that are listed; after its last day a coin's stands still."""
        now = self._now()
        return {pair: self._board.price(self._bases[pair], now) for pair in pairs if self._is_listed(pair, now)}

    def request_prices(self, pairs: Collection[str], callback: PricesCallback) -> None:
        """Tell the last prices at once."""
        callback(self.prices(pairs))

    def trading_rules(self, pairs: Collection[str]) -> Mapping[str, TradingRules]:
        """Return the rules of the pairs that are listed; after its last day a pair is on BREAK."""
        now = self._now()
        return {pair: self._rules_of(pair, now) for pair in pairs if self._is_listed(pair, now)}

    def account(self) -> Account:
        """Return the balances."""
        return Account({asset: _quantized(amount) for asset, amount in self._matching.free.items()}, True, _SPOT)

    def send_market_order(self, intent: Intent) -> OrderReport:
        """Fill the order at once. Raises as Binance's refusal of it would."""
        pair, now = self._matching.pairs[intent.pair], self._now()
        moment = self._moment(pair.rules.base, now)
        if not self._dataset_of.is_bundled:
            pair.rules = with_fine_enough_tick(pair.rules, moment.price)
            pair.width = spread_width(
                median_daily_volume(self._dataset_of.bars[pair.rules.base], self._board.moment(now)[0])
            )
        is_buy = intent.side is Side.BUY
        request = MarketOrder(intent.pair, is_buy, intent.quantity, intent.quote_amount, intent.client_order_id)
        try:
            return _report(self._matching.place(request, moment))
        except OrderRejectedError as error:
            raise order_error(BAD_REQUEST, error.code, error.message) from None

    def find_order(self, intent: Intent) -> OrderReport | None:
        """Return the order of this client order id, or None."""
        order = self._matching.find(intent.pair, None, intent.client_order_id)
        return None if order is None else _report(order)

    def find_in_lists(self, intent: Intent, since_ms: int) -> OrderReport | None:
        """Return what the look-up does."""
        return self.find_order(intent)

    def fetch_part_fills(self, intent: Intent, order_id: OrderId) -> tuple[PartFill, ...]:
        """Return the trades of an order."""
        order = self._matching.find(intent.pair, int(order_id), None)
        return () if order is None else _parts(order)

    def orders_since(self, pair: str, moment_ms: int) -> list[ExecutedOrder]:
        """Return the pair's orders from that time on."""
        return [
            ExecutedOrder(
                client_order_id=order.client_order_id,
                pair=pair,
                side="BUY" if order.request.is_buy else "SELL",
                executed_base=_quantized(order.executed_quantity),
                time_ms=order.time_ms,
                is_own=True,
            )
            for order in self._matching.orders.values()
            if order.symbol == pair and order.time_ms >= moment_ms
        ]

    def own_orders(self, pair: str, moment_ms: int = 0) -> list[OwnOrder]:
        """Return nothing: no book is lost in a run that lives in memory."""
        return []

    def keep_quiet_until(self, moment_ms: int, reason: QuietReason) -> None:
        """Do nothing: this exchange never asks for silence."""

    def _now(self) -> float:
        return self._clock.now().timestamp()

    def _is_listed(self, pair: str, now: float) -> bool:
        return now >= self._listed_from.get(pair, math.inf)

    def _rules_of(self, pair: str, now: float) -> TradingRules:
        status = "BREAK" if self._board.has_ended(self._bases[pair], now) else "TRADING"
        if (pair, status) not in self._rules:
            row: Mapping[str, Any] = symbol_row(self._matching.pairs[pair].rules, status, permission_sets=True)
            self._rules[pair, status] = trading_rules_of(row)
        return self._rules[pair, status]

    def _moment(self, base: str, now: float) -> Moment:
        board = self._board
        return Moment(
            time_ms=round(now * 1000),
            price=board.price(base, now),
            average=board.average(base, now),
            has_ended=board.has_ended(base, now),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedPairRules:
    """Binance's recorded rules by pair, and their file; a pair without any gets plausible ones."""

    rows: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    path: Path = Path()


def new_matching_engine(
    dataset: Dataset, quote: str, capital: Decimal, first: date, recorded: RecordedPairRules
) -> MatchingEngine:
    """Return what fills the orders: an account of this much quote asset, and a pair of each coin. Raises InputError."""
    rules: list[PairRules] = []
    for coin in dataset.history.coins.values():
        if row := recorded.rows.get(coin.symbol + quote):
            rules.append(replace(recorded_rules(row, recorded.path), base=coin.symbol))
        else:
            rules.append(plausible_rules(coin, quote, first, is_bundled=dataset.is_bundled))
    return MatchingEngine(rules, {quote: capital})


def _report(order: Order) -> OrderReport:
    return OrderReport(
        client_order_id=order.client_order_id,
        order_id=order.order_id,
        status=order.status,
        executed_base=_quantized(order.executed_quantity),
        executed_quote=_quantized(order.executed_quote) if order.executed_quote else None,
        transact_ms=order.time_ms,
        parts=_parts(order) if order.fills else None,
    )


def _parts(order: Order) -> tuple[PartFill, ...]:
    return tuple(
        PartFill(
            price=_quantized(fill.price),
            quantity=_quantized(fill.quantity),
            quote=_quantized(fill.price) * _quantized(fill.quantity),
            commission=_quantized(fill.commission),
            commission_asset=fill.commission_asset,
        )
        for fill in order.fills
    )


def _quantized(amount: Decimal) -> Decimal:
    """Return an amount as it stands in an answer on the wire: with eight decimals."""
    return amount.quantize(_WIRE_UNIT)
