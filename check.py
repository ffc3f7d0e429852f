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
from coinbase import Coinbase, Quote, fetch_prices_for_symbols
from control import Control
from disk import Disk
from domain import Account, TradingRules
from errors import InputError, MarsShotError
from model_check import read_checked
from positions_store import check_folder, load_state
from settings import Settings
from surroundings import Surroundings, open_surroundings
from wiring import BOOK, exchange_of, keys_needed, model_path

SMALL_CLOCK_ERROR_MS = 1000
FREE_BYTES_NEEDED = 200_000_000
PATIENCE_SECONDS = 10.0


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
    finally:
        coinbase.close()
    yield _lunarcrush(settings, around.clock)


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
        return None, Line("account", str(error), "see the key at Binance")
    if not account.can_trade:
        return account, Line("account", "may not trade (canTrade is false)", "see your account at Binance")
    free = account.free.get(settings.quote_asset, Decimal(0))
    return account, Line("account", f"may trade, {free:.2f} {settings.quote_asset} free")


def _tokens(
    settings: Settings, binance: BinanceExchange, coinbase: Coinbase, account: Account | None
) -> Iterable[Line]:
    tokens = settings.tokens_daily
    try:
        rules = binance.trading_rules([settings.pair(token) for token in tokens])
    except MarsShotError as error:
        yield Line("tokens", str(error), "try again")
        return
    quotes, _ = fetch_prices_for_symbols(tokens, settings, coinbase, binance)
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


def _lunarcrush(settings: Settings, clock: Clock) -> Line:
    from ml_decision import open_lunarcrush  # noqa: PLC0415 - pandas is slow to load, and only wanted here

    client = open_lunarcrush(settings, clock, [])
    tokens = ("BTC", "ETH", *settings.tokens_daily)
    if client.seconds_for(len(tokens)) > PATIENCE_SECONDS:
        tokens = ("BTC",)
    unknown = []
    for token in dict.fromkeys(tokens):
        try:
            client.daily_bars(token, settings.lunarcrush_coin(token), settings.training.days)
        except MarsShotError as error:
            unknown.append(str(error))
    if unknown:
        more = f", and {len(unknown) - 1} more" if len(unknown) > 1 else ""
        return Line("LunarCrush", f"{unknown[0]}{more}", "see the key, the plan and the token's name there")
    return Line("LunarCrush", f"answers; {len(dict.fromkeys(tokens))} tokens looked at")
