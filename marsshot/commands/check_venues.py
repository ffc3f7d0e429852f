"""The part of `main.py check` that asks the venues: key, clock, account, every token on all three, orders' sizes.

Sends no order; changes nothing but LunarCrush's cache.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal

from marsshot.bot.bootstrap import exchange_of
from marsshot.bot.environment import Surroundings
from marsshot.commands.check_findings import Finding, Level
from marsshot.commands.check_histories import Histories, ask_histories
from marsshot.config.settings import Settings
from marsshot.core.catalog import Words
from marsshot.core.domain import EXACT, Account, Book, TradingRules
from marsshot.core.errors import MarsShotError
from marsshot.exchange.binance.exchange import BinanceExchange, KeyRights
from marsshot.infra.clock import Clock
from marsshot.market_data.coinbase import Coinbase
from marsshot.market_data.price_aggregator import Quote, fetch_prices_for_symbols
from marsshot.portfolio.difference_messages import difference_in_words
from marsshot.portfolio.reconciliation import balance_differences

SMALL_CLOCK_ERROR_MS = 1000


@dataclass(frozen=True, slots=True)
class Found:
    """What the venues have said of the tokens."""

    rules: Mapping[str, TradingRules]  # by pair
    quotes: Mapping[str, Quote]  # by token
    binance: Mapping[str, Decimal]  # Binance's price, by token
    histories: Histories
    account: Account | None


def venue_findings(
    around: Surroundings, book: Book | None, capital: Decimal | None, words: Words, *, ask_all: bool
) -> Iterator[Finding]:
    """Yield what is found at Binance, Coinbase and LunarCrush.

    capital: what the bot may use, in quote asset; None where the book does not say.
    """
    settings = around.settings
    tokens = list(dict.fromkeys((*(book.positions if book else ()), *settings.tokens_daily)))
    binance = exchange_of(settings, around.clock)
    with ThreadPoolExecutor(1) as side_by_side:
        histories = side_by_side.submit(ask_histories, tokens, settings, around.clock, ask_all=ask_all)
        try:
            yield _clock(binance, around.clock, words)
            account = None
            if settings.mode != "paper":
                account, finding = _account(binance, settings, words)
                yield finding
            if settings.mode == "live":
                yield _key(binance, words)
            rules = binance.trading_rules([settings.pair(token) for token in tokens])
            prices = binance.prices([settings.pair(token) for token in tokens])
            quotes = _quotes(tokens, settings, binance)
        except MarsShotError as error:
            text = " ".join(words.tell(*error.faults).split())
            yield Finding(Level.BAD, "Binance", text, words.say("check.binance_remedy"))
            yield from _lunarcrush(histories.result(), tokens, settings, words)
            return
        by_token = {token: prices[settings.pair(token)] for token in tokens if settings.pair(token) in prices}
        found = Found(rules, quotes, by_token, histories.result(), account)
    yield from _tokens(tokens, found, settings, words)
    yield from _lunarcrush(found.histories, tokens, settings, words)
    if capital is not None:
        yield _sizes(found, book, capital, settings, words)
    if book is not None and account is not None:
        yield from _differences(book, found, settings, words)


def _quotes(tokens: Collection[str], settings: Settings, binance: BinanceExchange) -> Mapping[str, Quote]:
    coinbase = Coinbase(settings.coinbase.base_url)
    try:
        return fetch_prices_for_symbols(tokens, settings, coinbase, binance)[0]
    finally:
        coinbase.close()


# --------------------------------------------------------------------------- Binance: clock, account, key


def _clock(binance: BinanceExchange, clock: Clock, words: Words) -> Finding:
    error_ms = binance.server_ms() - int(clock.now().timestamp() * 1000)
    subject = words.say("subject.clock")
    if abs(error_ms) <= SMALL_CLOCK_ERROR_MS:
        return Finding(Level.GOOD, subject, words.say("check.clock_well", milliseconds=abs(error_ms)))
    key = "check.clock_behind" if error_ms > 0 else "check.clock_ahead"
    text = words.say(key, seconds=abs(error_ms) / 1000)
    return Finding(Level.BAD, subject, text, words.say("check.clock_remedy"))


def _account(binance: BinanceExchange, settings: Settings, words: Words) -> tuple[Account | None, Finding]:
    subject = words.say("subject.account")
    try:
        account = binance.account()
    except MarsShotError as error:
        return None, Finding(Level.BAD, subject, words.tell(error.said), words.say("check.account_remedy"))
    if not account.can_trade:
        return account, Finding(Level.BAD, subject, words.say("check.no_trade"), words.say("check.no_trade_remedy"))
    free = account.free.get(settings.quote_asset, Decimal(0))
    return account, Finding(Level.GOOD, subject, words.say("check.account_well", free=free, quote=settings.quote_asset))


def _key(binance: BinanceExchange, words: Words) -> Finding:
    """Tell what the key may do; where Binance does not say, that is told, and is no fault."""
    subject = words.say("subject.key")
    try:
        rights: KeyRights | None = binance.key_rights()
    except MarsShotError:
        rights = None
    if rights is None:
        return Finding(Level.NOTE, subject, words.say("check.key_unknown"), words.say("check.key_look"))
    if rights.may_withdraw:
        return Finding(Level.BAD, subject, words.say("check.key_withdraws"), words.say("check.key_withdraws_remedy"))
    if not rights.may_trade:
        return Finding(Level.BAD, subject, words.say("check.key_no_trade"), words.say("check.key_no_trade_remedy"))
    if not rights.is_for_some_addresses:
        return Finding(Level.NOTE, subject, words.say("check.key_anywhere"), words.say("check.key_anywhere_remedy"))
    return Finding(Level.GOOD, subject, words.say("check.key_well"))


# --------------------------------------------------------------------------- the tokens on all three


def _tokens(tokens: Collection[str], found: Found, settings: Settings, words: Words) -> Iterator[Finding]:
    silent = [quote for quote in found.quotes.values() if "does not answer" in quote.note or "answered" in quote.note]
    if silent and len(silent) == len(found.quotes):
        yield Finding(Level.BAD, "Coinbase", words.say("check.coinbase_silent"), words.say("check.coinbase_remedy"))
    for token in tokens:
        yield _at_binance(token, found, settings, words) or _priced(token, found, settings, words)


def _at_binance(token: str, found: Found, settings: Settings, words: Words) -> Finding | None:
    """Return what keeps a token from being traded at Binance, if anything does."""
    rule = found.rules.get(settings.pair(token))
    if rule is None:
        text = words.say("check.unknown_pair", pair=settings.pair(token))
        return Finding(Level.BAD, token, text, words.say("check.name_or_drop"))
    if not rule.tradable:
        return Finding(Level.BAD, token, words.say("check.not_tradable", why=rule.why_not), words.say("check.drop"))
    if found.account is not None and not rule.permitted(found.account):
        text = words.say("check.not_permitted", pair=rule.pair)
        return Finding(Level.BAD, token, text, words.say("check.not_permitted_remedy"))
    return None


def _priced(token: str, found: Found, settings: Settings, words: Words) -> Finding:
    """Tell whether the prices of the three venues are of the same coin."""
    quote, binance = found.quotes[token], found.binance.get(token)
    if token in found.histories.troubles:
        return Finding(Level.BAD, token, words.tell(found.histories.troubles[token]), words.say("check.name_or_drop"))
    close = found.histories.closes.get(token)
    if close is not None and binance is not None:
        distance = EXACT.abs(EXACT.subtract(close, binance))
        if distance > EXACT.multiply(binance, settings.strategy.max_history_divergence):
            text = words.say("check.other_history", close=close, price=binance)
            return Finding(Level.BAD, token, text, words.say("check.name"))
    if quote.price is None:
        return Finding(Level.BAD, token, words.say("check.no_price", why=quote.note), words.say("check.network"))
    if quote.agrees is False:
        text = words.say("check.other_price", price=binance or quote.price)
        return Finding(Level.BAD, token, text, words.say("check.name_coinbase"))
    history = words.say("check.close", close=close) if close is not None else words.say("check.not_asked")
    text = words.say("check.token", price=quote.price, source=quote.source, history=history)
    if not quote.note:
        return Finding(Level.GOOD, token, text)
    note = words.say("check.only_binance") if quote.source == "Binance" else words.tell(quote.note)
    return Finding(Level.NOTE, token, words.say("check.token_noted", text=text, note=note))


def _lunarcrush(histories: Histories, tokens: Collection[str], settings: Settings, words: Words) -> Iterator[Finding]:
    for coin, trouble in histories.troubles.items():
        if coin not in tokens:  # BTC or ETH: no token has a score without them
            yield Finding(Level.BAD, coin, words.tell(trouble), words.say("check.lunarcrush_remedy"))
    if histories.refused:
        yield Finding(Level.BAD, "LunarCrush", words.tell(histories.refused), words.say("check.lunarcrush_remedy"))
    elif histories.not_asked:
        limit = settings.lunarcrush.requests_per_minute
        minutes = len(histories.not_asked) // limit + 1
        text = words.say("check.not_all", tokens=", ".join(histories.not_asked), limit=limit)
        yield Finding(Level.NOTE, "LunarCrush", text, words.say("check.ask_all", minutes=minutes))
    elif not histories.troubles:
        yield Finding(Level.GOOD, "LunarCrush", words.say("check.all_asked"))


# --------------------------------------------------------------------------- money


def _sizes(found: Found, book: Book | None, capital: Decimal, settings: Settings, words: Words) -> Finding:
    """Compare what one purchase would get with the smallest orders."""
    subject, quote = words.say("subject.sizes"), settings.quote_asset
    smallest = {
        token: rule.smallest_order(found.binance.get(token))
        for token in settings.tokens_daily
        if (rule := found.rules.get(settings.pair(token))) is not None
    }
    if found.account is not None:
        capital = min(capital, found.account.free.get(quote, Decimal(0)))
    count = len(settings.tokens_daily)
    if not smallest:
        return Finding(Level.BAD, subject, words.say("check.sizes_none"), words.say("check.name_or_drop"))
    dearest = max(smallest.values())
    facts = {"capital": capital, "count": count, "share": capital / count, "smallest": dearest, "quote": quote}
    text = words.say("check.sizes", **facts)
    if capital >= count * dearest:
        return Finding(Level.GOOD, subject, text)
    if capital >= min(smallest.values()) or (book is not None and book.positions):
        enough = int(capital // dearest)
        some = words.say("check.sizes_some", enough=enough) if enough else words.say("check.sizes_invested")
        return Finding(Level.NOTE, subject, text, some)
    return Finding(Level.BAD, subject, text, words.say("check.sizes_remedy", quote=quote))


def _differences(book: Book, found: Found, settings: Settings, words: Words) -> Iterator[Finding]:
    """Compare the book with the account's balances."""
    assert found.account is not None  # noqa: S101 - asked by the caller
    rules = {symbol: found.rules.get(settings.pair(symbol)) for symbol in book.positions}
    differences = balance_differences(book, found.account, rules)
    for one in differences:
        text = difference_in_words(one.topic, one.sentence, book, words)
        remedy = words.say("check.differs_remedy") if one.pauses else ""
        yield Finding(Level.BAD if one.pauses else Level.NOTE, words.say("subject.balances"), text, remedy)
    if not differences:
        yield Finding(Level.GOOD, words.say("subject.balances"), words.say("check.balances_well"))
