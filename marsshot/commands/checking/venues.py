"""The part of `main.py check` that asks the venues: clock, account, every token on all three, orders' sizes.

Sends no order; changes nothing but the cache of daily bars.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal

from marsshot.bot.bootstrap import exchange_of
from marsshot.bot.environment import Environment
from marsshot.commands.checking.findings import Finding, Level
from marsshot.commands.checking.histories import Histories, fetch_last_closes
from marsshot.commands.setup.api_key import further_findings, key_findings
from marsshot.config.settings import Settings
from marsshot.core.amounts import EXACT, ONE, ZERO
from marsshot.core.book import Book
from marsshot.core.catalog import Catalog
from marsshot.core.errors import MarsShotError
from marsshot.core.trading_rules import Account, TradingRules
from marsshot.exchange.base import Exchange
from marsshot.infra.clock import Clock
from marsshot.market_data.base import NotTrackedError, QuotaSpentError, SourceRefusedError
from marsshot.market_data.coinbase import Coinbase, MissingPriceReason
from marsshot.market_data.price_aggregator import PriceSource, Quote, fetch_prices_for_symbols
from marsshot.portfolio.difference_messages import difference_text
from marsshot.portfolio.reconciliation import balance_differences
from marsshot.strategy.daily_plan import is_crash

SMALL_CLOCK_ERROR_MS = 1000
# What all tokens meet with at once where it is Coinbase, or the way to it, that is in trouble.
COINBASE_TROUBLES = {
    MissingPriceReason.SILENT,
    MissingPriceReason.LATE,
    MissingPriceReason.SLOW,
    MissingPriceReason.ANSWERED,
    MissingPriceReason.OTHER_PAIR,
}


@dataclass(frozen=True, slots=True)
class VenueData:
    """What the venues have said of the tokens."""

    rules: Mapping[str, TradingRules]  # by pair
    quotes: Mapping[str, Quote]  # by token
    binance: Mapping[str, Decimal]  # Binance's price, by token
    histories: Histories
    account: Account | None
    closes_rate: Decimal | None  # what a unit of the exchange's currency is worth in that of the closes


def venue_findings(
    environment: Environment, book: Book | None, capital: Decimal | None, catalog: Catalog, *, ask_all: bool
) -> Iterator[Finding]:
    """Yield what is found at Binance, Coinbase and the source of daily bars.

    capital: what the bot may use, in quote asset; None where the book does not say.
    """
    settings = environment.settings
    tokens = list(dict.fromkeys((*(book.positions if book else ()), *settings.tokens_daily)))
    exchange = exchange_of(settings, environment.clock)
    with ThreadPoolExecutor(1) as side_by_side:
        histories = side_by_side.submit(fetch_last_closes, tokens, settings, environment.clock, ask_all=ask_all)
        try:
            yield _clock(exchange, environment.clock, catalog)
            account = None
            if settings.mode != "paper":
                account, finding = _account(exchange, settings, catalog)
                yield finding
            if settings.mode in {"live", "test"}:
                yield from key_findings(settings, environment.clock, catalog)
                yield from further_findings(settings, environment.clock, catalog)
            rules = exchange.trading_rules([settings.pair(token) for token in tokens])
            prices = exchange.prices([settings.pair(token) for token in tokens])
            quotes, rate = _quotes(tokens, settings, exchange)
        except MarsShotError as error:
            yield _no_answer(error, settings, catalog)
            yield from _unscored_ones(histories.result(), tokens, catalog)
            yield from _daily_bars(histories.result(), tokens, settings, catalog)
            return
        by_token = {token: prices[settings.pair(token)] for token in tokens if settings.pair(token) in prices}
        venue_data = VenueData(rules, quotes, by_token, histories.result(), account, rate)
    yield from _tokens(tokens, venue_data, settings, catalog)
    yield from _daily_bars(venue_data.histories, tokens, settings, catalog)
    if capital is not None:
        yield _sizes(venue_data, book, capital, settings, catalog)
    if book is not None and account is not None:
        yield from _differences(book, venue_data, settings, catalog)


def _no_answer(error: MarsShotError, settings: Settings, catalog: Catalog) -> Finding:
    text = " ".join(catalog.render(*error.faults).split())
    return Finding(Level.BAD, settings.exchange_facts.name, text, catalog.text(f"check.{settings.exchange}_remedy"))


def _quotes(
    tokens: Collection[str], settings: Settings, exchange: Exchange
) -> tuple[Mapping[str, Quote], Decimal | None]:
    """Return each token's quote, and what a unit of their currency is worth in that of the daily closes."""
    coinbase = Coinbase(settings.coinbase.base_url, currency=settings.exchange_facts.currency)
    try:
        rate = ONE if settings.bars_are_in_its_currency else coinbase.rate_to(settings.bars_currency)
        return fetch_prices_for_symbols(tokens, settings, coinbase, exchange)[0], rate
    finally:
        coinbase.close()


# --------------------------------------------------------------------------- Binance: clock, account, key


def _clock(exchange: Exchange, clock: Clock, catalog: Catalog) -> Finding:
    error_ms = exchange.server_ms() - int(clock.now().timestamp() * 1000)
    subject = catalog.text("subject.clock")
    if abs(error_ms) <= SMALL_CLOCK_ERROR_MS:
        return Finding(Level.GOOD, subject, catalog.text("check.clock_well", milliseconds=abs(error_ms)))
    key = "check.clock_behind" if error_ms > 0 else "check.clock_ahead"
    text = catalog.text(key, seconds=abs(error_ms) / 1000)
    return Finding(Level.BAD, subject, text, catalog.text("check.clock_remedy"))


def _account(exchange: Exchange, settings: Settings, catalog: Catalog) -> tuple[Account | None, Finding]:
    subject = catalog.text("subject.account")
    try:
        account = exchange.account()
    except MarsShotError as error:
        remedy = catalog.text(f"check.account_remedy.{settings.exchange}")
        return None, Finding(Level.BAD, subject, catalog.render(error.message), remedy)
    return account, account_finding(account, settings, catalog)


def account_finding(account: Account, settings: Settings, catalog: Catalog) -> Finding:
    """Tell whether the account may trade, and what is free."""
    subject = catalog.text("subject.account")
    if not account.can_trade:
        return Finding(Level.BAD, subject, catalog.text("check.no_trade"), catalog.text("check.no_trade_remedy"))
    free = account.free.get(settings.quote_asset, Decimal(0))
    return Finding(Level.GOOD, subject, catalog.text("check.account_well", free=free, quote=settings.quote_asset))


# --------------------------------------------------------------------------- the tokens on all three


def _tokens(tokens: Collection[str], venue_data: VenueData, settings: Settings, catalog: Catalog) -> Iterator[Finding]:
    silent = [quote for quote in venue_data.quotes.values() if quote.missing in COINBASE_TROUBLES]
    if silent and len(silent) == len(venue_data.quotes):
        yield Finding(
            Level.BAD, "Coinbase", catalog.text("check.coinbase_silent"), catalog.text("check.coinbase_remedy")
        )
    for token in tokens:
        yield _at_binance(token, venue_data, settings, catalog) or _priced(token, venue_data, settings, catalog)


def _at_binance(token: str, venue_data: VenueData, settings: Settings, catalog: Catalog) -> Finding | None:
    """Return what keeps a token from being traded at Binance, if anything does."""
    rule = venue_data.rules.get(settings.pair(token))
    if rule is None:
        text = catalog.text("check.unknown_pair", pair=settings.pair(token))
        return Finding(Level.BAD, token, text, catalog.text("check.name_or_drop"))
    if not rule.tradable:
        return Finding(
            Level.BAD,
            token,
            catalog.text("check.not_tradable", why=rule.unavailable_reason),
            catalog.text("check.drop"),
        )
    if venue_data.account is not None and not rule.permitted(venue_data.account):
        text = catalog.text("check.not_permitted", pair=rule.pair)
        return Finding(Level.BAD, token, text, catalog.text("check.not_permitted_remedy"))
    return None


def _far_history(
    token: str, quote: Quote, prices: tuple[Decimal, Decimal], settings: Settings, catalog: Catalog
) -> Finding | None:
    """Tell where the history's last close is too far from Binance's price. prices: both, in this order."""
    close, binance = prices
    distance = EXACT.abs(EXACT.subtract(close, binance))
    if distance <= EXACT.multiply(binance, settings.strategy.max_history_divergence):
        return None
    facts = {"source": settings.source_name, "close": close, "price": binance, "change": binance / close - 1}
    if quote.agrees and is_crash(close, binance):
        return Finding(Level.NOTE, token, catalog.text("check.fallen", **facts), catalog.text("check.fallen_remedy"))
    return Finding(Level.BAD, token, catalog.text("check.other_history", **facts), catalog.text("check.name"))


def _priced(token: str, venue_data: VenueData, settings: Settings, catalog: Catalog) -> Finding:
    """Tell whether the prices of the three venues are of the same coin."""
    quote, binance = venue_data.quotes[token], venue_data.binance.get(token)
    close = venue_data.histories.closes.get(token)
    if token in venue_data.histories.errors:
        return _unscored(token, venue_data.histories.errors[token], catalog)
    rate = venue_data.closes_rate
    if (
        close is not None
        and binance is not None
        and rate is not None
        and (far := _far_history(token, quote, (close, EXACT.multiply(binance, rate)), settings, catalog))
    ):
        return far
    if quote.price is None:
        return Finding(Level.BAD, token, catalog.text("check.no_price", why=quote.note), catalog.text("check.network"))
    if quote.agrees is False:
        text = catalog.text("check.other_price", price=binance or quote.price)
        return Finding(Level.BAD, token, text, catalog.text("check.name_coinbase"))
    history = (
        catalog.text("check.close", source=settings.source_name, close=close)
        if close is not None
        else catalog.text("check.not_asked", source=settings.source_name)
    )
    source = settings.exchange_facts.name if quote.source is PriceSource.EXCHANGE else "Coinbase"
    text = catalog.text("check.token", price=quote.price, source=source, history=history)
    if not quote.note:
        return Finding(Level.GOOD if close is not None else Level.NOTE, token, text)
    has_none = quote.source is PriceSource.EXCHANGE and quote.missing not in COINBASE_TROUBLES
    note = catalog.text("check.only_binance") if has_none else catalog.render(quote.note)
    return Finding(Level.NOTE, token, catalog.text("check.token_noted", text=text, note=note))


def _unscored_ones(histories: Histories, tokens: Collection[str], catalog: Catalog) -> Iterator[Finding]:
    for token, error in histories.errors.items():
        if token in tokens:
            yield _unscored(token, error, catalog)


def _unscored(token: str, error: MarsShotError, catalog: Catalog) -> Finding:
    """Tell why one token has no history, while others have."""
    remedy = "check.name_or_drop" if isinstance(error, NotTrackedError) else "check.ask_later"
    return Finding(Level.BAD, token, catalog.render(error.message), catalog.text(remedy))


def _daily_bars(
    histories: Histories, tokens: Collection[str], settings: Settings, catalog: Catalog
) -> Iterator[Finding]:
    source = settings.source_name
    for coin, error in histories.errors.items():
        if coin not in tokens:  # BTC or ETH: no token has a score without them
            is_unknown = isinstance(error, NotTrackedError)
            remedy = f"check.source_remedy.{settings.data_source}" if is_unknown else "check.ask_later"
            yield Finding(Level.BAD, coin, catalog.render(error.message), catalog.text(remedy))
    if histories.trouble is not None:
        text = catalog.render(histories.trouble.message)
        yield Finding(Level.BAD, source, text, catalog.text(_trouble_remedy(histories.trouble, settings)))
    elif histories.not_asked:
        limit = settings.source_requests_per_minute
        minutes = len(histories.not_asked) // limit + 1
        text = catalog.text("check.not_all", tokens=", ".join(histories.not_asked), limit=limit)
        yield Finding(Level.NOTE, source, text, catalog.text("check.ask_all", minutes=minutes))
    elif not histories.errors:
        yield Finding(Level.GOOD, source, catalog.text("check.all_asked"))


def _trouble_remedy(trouble: MarsShotError, settings: Settings) -> str:
    if isinstance(trouble, SourceRefusedError):
        return f"check.source_remedy.{settings.data_source}"
    return "check.quota_remedy" if isinstance(trouble, QuotaSpentError) else "check.source_silent_remedy"


# --------------------------------------------------------------------------- money


def _sizes(venue_data: VenueData, book: Book | None, capital: Decimal, settings: Settings, catalog: Catalog) -> Finding:
    """Compare what one purchase would get with the smallest orders."""
    subject, quote = catalog.text("subject.sizes"), settings.quote_asset
    smallest = {
        token: rule.smallest_order(venue_data.binance.get(token))
        for token in settings.tokens_daily
        if (rule := venue_data.rules.get(settings.pair(token))) is not None
    }
    if venue_data.account is not None:
        capital = min(capital, venue_data.account.free.get(quote, Decimal(0)))
    count = len(settings.tokens_daily)
    if not smallest:
        return Finding(Level.BAD, subject, catalog.text("check.sizes_none"), catalog.text("check.name_or_drop"))
    dearest = max(smallest.values())
    facts = {"capital": capital, "count": count, "share": capital / count, "smallest": dearest, "quote": quote}
    text = catalog.text("check.sizes", **facts)
    worth = capital + sum((held.cost for held in book.positions.values()), ZERO) if book is not None else capital
    if (most := worth * settings.strategy.max_share_per_token) < dearest <= capital:
        level = Level.BAD if most < min(smallest.values()) else Level.NOTE
        return Finding(level, subject, text, catalog.text("check.sizes_share", most=most, quote=quote))
    if capital >= count * dearest:
        return Finding(Level.GOOD, subject, text)
    if capital >= min(smallest.values()) or (book is not None and book.positions):
        enough = int(capital // dearest)
        some = catalog.text("check.sizes_some", enough=enough) if enough else catalog.text("check.sizes_invested")
        return Finding(Level.NOTE, subject, text, some)
    return Finding(Level.BAD, subject, text, catalog.text("check.sizes_remedy", quote=quote))


def _differences(book: Book, venue_data: VenueData, settings: Settings, catalog: Catalog) -> Iterator[Finding]:
    """Compare the book with the account's balances."""
    assert venue_data.account is not None  # noqa: S101 - asked by the caller
    rules = {symbol: venue_data.rules.get(settings.pair(symbol)) for symbol in book.positions}
    differences = balance_differences(book, venue_data.account, rules)
    for one in differences:
        text = difference_text(one.topic, one.sentence, book, catalog)
        remedy = catalog.text("check.differs_remedy") if one.pauses else ""
        yield Finding(Level.BAD if one.pauses else Level.NOTE, catalog.text("subject.balances"), text, remedy)
    if not differences:
        yield Finding(Level.GOOD, catalog.text("subject.balances"), catalog.text("check.balances_well"))
