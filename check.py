"""`main.py check`: looks at everything the bot needs and says, in a line each, what is well and what to mend."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from rich.console import Console

from binance_exchange import BinanceExchange
from clock import Clock
from coinbase import Coinbase
from control import Control
from disk import Disk
from domain import Account, TradingRules
from errors import InputError, MarsShotError
from lunarcrush import FIELDS, SourceRefusedError
from model_check import read_checked
from positions_store import check_folder, load_state
from price_round import Quote, fetch_prices_for_symbols
from settings import Settings
from surroundings import Surroundings, open_surroundings
from wiring import BOOK, exchange_of, keys_needed, model_path

SMALL_CLOCK_ERROR_MS = 1000
FREE_BYTES_NEEDED = 200_000_000


@dataclass(frozen=True, slots=True)
class Line:
    """One finding. `remedy` is empty when all is well."""

    subject: str
    finding: str
    remedy: str = ""


def run_check(settings: Settings) -> int:
    """Print the findings; return 1 if anything has to be mended, else 0."""
    console = Console()
    reds = 0
    for line in _lines(settings):
        mark = "[green]OK  [/]" if not line.remedy else "[bold red]MEND[/]"
        console.print(f"{mark} {line.subject}: ", end="", highlight=False)
        text = f"{line.finding}; {line.remedy}" if line.remedy else line.finding
        console.print(text, markup=False, highlight=False, soft_wrap=True)
        reds += bool(line.remedy)
    console.print("All is well." if not reds else f"{reds} to mend.", highlight=False)
    return 1 if reds else 0


def _lines(settings: Settings) -> Iterable[Line]:
    yield Line("settings", f"mode {settings.mode}, {len(settings.tokens_daily)} tokens, in {settings.quote_asset}")
    missing = settings.missing_keys(*keys_needed(settings))
    yield (
        Line("keys", "all there" if settings.mode != "demo" else "none needed in demo mode")
        if not missing
        else Line("keys", missing[0].split(";")[0], "put them into config.yaml or into the environment")
    )
    yield _guarded("folder", _folder, settings)
    yield _guarded("book", _book, settings)
    yield _guarded("model", _model, settings)
    paused = Control(settings).paused()
    yield Line("buying", f"paused: {paused}" if paused else "allowed")
    if missing:
        return
    with open_surroundings(settings, keep_account=True) as around:
        yield from _services(around)


def _guarded(subject: str, look: Callable[[Settings], Line], settings: Settings) -> Line:
    try:
        return look(settings)
    except InputError as error:
        finding, _, remedy = str(error).partition("; ")
        return Line(subject, finding, remedy or "mend it")


def _folder(settings: Settings) -> Line:
    check_folder(settings.file(BOOK))
    free = shutil.disk_usage(Path.cwd()).free
    if free < FREE_BYTES_NEEDED:
        return Line("folder", f"only {free / 1e6:.0f} MB are free", "make room on the disk")
    return Line("folder", f"can be written, {free / 1e9:.1f} GB free")


def _book(settings: Settings) -> Line:
    book = load_state(settings.file(BOOK), settings.mode, Disk())
    if book is None:
        return Line("book", f"none yet; the first start begins one with {settings.strategy.capital_initial}")
    doubts = f", {len(book.intents)} orders being looked up" if book.intents else ""
    return Line("book", f"{len(book.positions)} positions, capital {book.capital:.2f} {book.quote_asset}{doubts}")


def _model(settings: Settings) -> Line:
    path = model_path(settings)
    _, facts = read_checked(path)
    return Line("model", f"{path}, trained {facts.get('trained_at', 'at an unknown time')}")


# --------------------------------------------------------------------------- the three services


def _services(around: Surroundings) -> Iterable[Line]:
    settings = around.settings
    binance = exchange_of(settings, around.clock)
    coinbase = Coinbase(settings.coinbase.base_url)
    try:
        yield _clock(binance, around.clock)
        account = None
        if settings.mode != "paper":
            account, line = _account(binance, settings)
            yield line
        yield from _tokens(settings, binance, coinbase, account)
        prices = _prices(settings, binance)
    finally:
        coinbase.close()
    yield from _lunarcrush(settings, around.clock, prices)


def _prices(settings: Settings, binance: BinanceExchange) -> dict[str, Decimal]:
    pairs = {token: settings.pair(token) for token in settings.tokens_daily}
    try:
        found = binance.prices(pairs.values())
    except MarsShotError:
        return {}
    return {token: found[pair] for token, pair in pairs.items() if pair in found}


def _clock(binance: BinanceExchange, clock: Clock) -> Line:
    try:
        error_ms = binance.server_ms() - int(clock.now().timestamp() * 1000)
    except MarsShotError as error:
        return Line("Binance", str(error), "look at the network, and whether Binance may be used from here")
    if abs(error_ms) > SMALL_CLOCK_ERROR_MS:
        text = f"this machine is {abs(error_ms) / 1000:.1f} s {'behind' if error_ms > 0 else 'ahead'}"
        return Line("clock", text, "switch on time synchronisation (NTP); the bot allows for it meanwhile")
    return Line("clock", f"within {abs(error_ms)} ms of Binance's")


def _account(binance: BinanceExchange, settings: Settings) -> tuple[Account | None, Line]:
    try:
        account = binance.account()
    except MarsShotError as error:
        return None, Line("account", str(error), "mend that, then run check again")
    if not account.can_trade:
        return account, Line("account", "may not trade (canTrade is false)", "see your account at Binance")
    free = account.free.get(settings.quote_asset, Decimal(0))
    less = "; less than capital_initial, only what is free is spent" if free < settings.strategy.capital_initial else ""
    return account, Line("account", f"may trade, {free:.2f} {settings.quote_asset} free{less}")


def _tokens(
    settings: Settings, binance: BinanceExchange, coinbase: Coinbase, account: Account | None
) -> Iterable[Line]:
    tokens = settings.tokens_daily
    try:
        rules = binance.trading_rules([settings.pair(token) for token in tokens])
    except MarsShotError as error:
        yield Line("tokens", str(error), "mend that, then run check again")
        return
    quotes, _ = fetch_prices_for_symbols(tokens, settings, coinbase, binance)
    if all("does not answer" in quote.note or "answered" in quote.note for quote in quotes.values()):
        yield Line(
            "Coinbase", "does not answer for any token", "look at the network; Binance's prices are used meanwhile"
        )
    for token in tokens:
        yield _token(token, settings, rules, quotes[token], account)


def _token(
    token: str, settings: Settings, rules: Mapping[str, TradingRules], quote: Quote, account: Account | None
) -> Line:
    rule = rules.get(settings.pair(token))
    if rule is None:
        return Line(token, f"Binance does not know {settings.pair(token)}", "take it out, or name it under symbols")
    if not rule.tradable:
        return Line(token, rule.why_not, "take it out of tokens_daily")
    if account is not None and not rule.permitted(account):
        return Line(token, f"{rule.pair} is not permitted for this account", "take it out, or try quote_asset: USDC")
    if quote.price is None:
        return Line(token, quote.note, "look at the network; a stop-loss needs a price")
    if "more than" in quote.note:
        return Line(token, quote.note, "Coinbase may mean another coin: name it under symbols")
    smallest = rule.smallest_order(quote.price)
    note = f" ({quote.note})" if quote.note else ""
    return Line(token, f"{quote.price:f} at {quote.source}, smallest order {smallest:.2f}{note}")


class _Impatient:
    """A clock that does not wait: what would have to is not looked at now."""

    stopping = False

    def __init__(self, clock: Clock) -> None:
        self.now = clock.now
        self.idle = clock.idle
        self.stop = clock.stop

    def sleep(self, seconds: float) -> None:
        """Refuse to wait."""
        raise NotNowError(f"would take {seconds:.0f} s")


class NotNowError(MarsShotError):
    """Looking now would mean to wait."""


def _lunarcrush(settings: Settings, clock: Clock, prices: Mapping[str, Decimal]) -> Iterable[Line]:
    """Look at each token's history: is there one, and is it of the coin that Binance trades?"""
    from ml_decision import open_lunarcrush  # noqa: PLC0415 - pandas is slow to load, and only wanted here

    client = open_lunarcrush(settings, _Impatient(clock), lambda _: None)
    well, later = 0, 0
    for token in dict.fromkeys(("BTC", "ETH", *settings.tokens_daily)):
        try:
            bars = client.daily_bars(token, settings.lunarcrush_coin(token), settings.training.days)
        except NotNowError:
            later += 1
        except SourceRefusedError as error:
            yield Line("LunarCrush", str(error), "mend that, then run check again")
            return
        except MarsShotError as error:
            yield Line(f"{token} at LunarCrush", str(error), "name it under symbols, or take it out of tokens_daily")
        else:
            close = Decimal(repr(float(bars.values[bars.has_close()][-1, FIELDS.index("close")])))
            price = prices.get(token)
            if price is not None and abs(close - price) > price * settings.strategy.max_history_divergence:
                text = f"its last close there is {close:.6g}, Binance's price {price:.6g}: another coin of that name"
                yield Line(f"{token} at LunarCrush", text, "name it under symbols; until then it is not traded")
            else:
                well += 1
    wait = f"; {later} not looked at, the plan's limit is used up: run check again in a minute" if later else ""
    yield Line("LunarCrush", f"{well} tokens have a history that fits{wait}")
