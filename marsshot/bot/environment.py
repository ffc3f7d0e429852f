"""The environment of a run: real services and real time in paper and live mode, the recorded market in demo mode.

The one place that knows about embedded_market; the trading code sees base URLs and a clock, never the difference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from shutil import copyfile
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from pydantic import SecretStr

from marsshot.config.bot_files import DEMO_ACCOUNT
from marsshot.core.catalog import LocalizedText
from marsshot.core.errors import InputError
from marsshot.infra.clock import SystemClock, VirtualClock

if TYPE_CHECKING:
    from embedded_market.server.launcher import MarketProcess
    from marsshot.config.settings import Settings

DEMO_START = date(2021, 2, 21)
DEMO_DAYS = 92
# What the recorded market knows when the demo begins.
DEMO_TOKENS = ("ADA", "BNB", "BTC", "DOGE", "DOT", "ETH", "LINK", "LTC", "LUNA", "MATIC", "SOL", "UNI", "XRP")
_NO_REQUEST_LIMIT = 10_000  # requests per minute: the recorded market has no plan to keep to


@dataclass(frozen=True, slots=True)
class Environment:
    """Settings with the addresses and keys to use, the clock to go by, and what does the same to settings read anew."""

    settings: Settings
    clock: SystemClock | VirtualClock
    apply_overrides: Callable[[Settings], Settings]


@contextmanager
def open_environment(
    settings: Settings, *, keep_account: bool = False, read_only: bool = False
) -> Iterator[Environment]:
    """Yield the environment of this mode; demo mode's market ends with the block.

    keep_account: the demo's exchange goes on where the last command left it (balances and time are kept in a file).
    read_only: it goes on from there too, but what happens is forgotten: the file may be another process's.
    """
    if read_only and settings.mode == "demo":
        with _copied(settings.file(DEMO_ACCOUNT)) as copy, _demo_market(settings, copy) as environment:
            yield environment
        return
    if settings.mode != "demo":
        yield Environment(settings, SystemClock(), lambda changed: changed)
        return
    with _demo_market(settings, settings.file(DEMO_ACCOUNT) if keep_account else None) as environment:
        yield environment


@contextmanager
def _copied(account_file: Path) -> Iterator[Path]:
    with TemporaryDirectory(prefix="marsshot") as folder:
        copy = Path(folder) / account_file.name
        if account_file.exists():
            copyfile(account_file, copy)
        yield copy


@contextmanager
def _demo_market(settings: Settings, account_file: Path | None) -> Iterator[Environment]:
    from embedded_market.exchange.account_file import AccountFileError  # noqa: PLC0415 - demo mode only
    from embedded_market.server.launcher import MarketProcess, MarketProcessError  # noqa: PLC0415

    begin = datetime.combine(DEMO_START, time(0, 5), UTC)
    balances = {settings.quote_asset: settings.strategy.capital_initial}
    try:
        with MarketProcess(
            start=begin.timestamp(), balances=balances, account_file=account_file, exchange=settings.exchange
        ) as market:
            start = datetime.fromtimestamp(market.time, UTC)
            clock = VirtualClock(start, market.set_time)
            apply_overrides = _overrides_for(market)
            yield Environment(apply_overrides(settings), clock, apply_overrides)
    except AccountFileError as error:
        raise InputError(LocalizedText("fault.demo.account", path=account_file, problem=str(error))) from None
    except MarketProcessError as error:
        raise InputError(LocalizedText("fault.demo.market", problem=str(error))) from None


def _overrides_for(market: MarketProcess) -> Callable[[Settings], Settings]:
    def apply_overrides(settings: Settings) -> Settings:
        """Point the services at the recorded market."""
        return settings.model_copy(
            update={
                "training_tokens": DEMO_TOKENS,
                "lunarcrush": settings.lunarcrush.model_copy(
                    update={
                        "base_url": market.url,
                        "api_key": SecretStr(market.lunarcrush_key),
                        "requests_per_minute": _NO_REQUEST_LIMIT,
                    }
                ),
                "coinbase": settings.coinbase.model_copy(update={"base_url": market.url}),
                "bitvavo": settings.bitvavo.model_copy(
                    update={
                        "base_url": market.url,
                        "api_key": SecretStr(market.api_key),
                        "api_secret": SecretStr(market.api_secret),
                    }
                ),
                "binance_api": settings.binance_api.model_copy(
                    update={
                        "base_url": market.url,
                        "data_url": market.url,
                        "api_key": SecretStr(market.api_key),
                        "api_secret": SecretStr(market.api_secret),
                    }
                ),
            }
        )

    return apply_overrides


def recorded_candles(symbol: str) -> list[tuple[date, float, float, float, float]]:
    """Return a token's days on the recorded market: date, open, high, low, close in USD, oldest first; maybe none."""
    from embedded_market.market_data.history import date_of, load_bundled_history  # noqa: PLC0415 - demo mode only

    coin = load_bundled_history().coins.get(symbol)
    bars = sorted(coin.bars.items()) if coin is not None else []
    return [(date_of(day), float(bar.open), float(bar.high), float(bar.low), float(bar.close)) for day, bar in bars]
