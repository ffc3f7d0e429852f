"""The sources of daily bars by their names in config.yaml: what each has and calls a token, and how it is opened.

Asks nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from marsshot.config.addresses import is_loopback_origin
from marsshot.config.data_sources import DataSource
from marsshot.config.settings import Settings
from marsshot.infra.clock import Clock
from marsshot.market_data.bar_cache import FIELDS, BarCache, DailyBars, cache_folder
from marsshot.market_data.base import DailyBarSource
from marsshot.market_data.binance_klines import BinanceKlines
from marsshot.market_data.bitvavo_candles import BitvavoCandles
from marsshot.market_data.klines_parser import COLUMNS
from marsshot.market_data.lunarcrush import LunarCrush

QUOTES = ("USDT", "USDC")  # that a pair may be with where there is none with the settings' own


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceKind:
    """What is known of a source before it is asked.

    columns: those of FIELDS that it has. base_url, coin, cached_coin: the host, its
    name of a token, and the name under which the cache holds it. is_quick: hundreds of tokens take a minute or two.
    """

    columns: tuple[str, ...]
    base_url: Callable[[Settings], str]
    coin: Callable[[Settings, str], str]
    cached_coin: Callable[[Settings, str], str]
    open: Callable[[Settings, Clock, Callable[[str], None]], DailyBarSource]
    is_quick: bool = False

    @property
    def missing_columns(self) -> tuple[str, ...]:
        """Return those of FIELDS that it has not."""
        return tuple(field for field in FIELDS if field not in self.columns)


def _open_lunarcrush(settings: Settings, clock: Clock, notify: Callable[[str], None]) -> DailyBarSource:
    return LunarCrush(
        api_key=settings.lunarcrush.api_key.get_secret_value(),
        base_url=settings.lunarcrush.base_url,
        requests_per_minute=settings.lunarcrush.requests_per_minute,
        cache_dir=cache_folder(settings.mode),
        clock=clock,
        notify=notify,
    )


def _open_klines(settings: Settings, clock: Clock, notify: Callable[[str], None]) -> DailyBarSource:
    base_url = settings.binance_api.data_url
    return BinanceKlines(
        base_url=base_url,
        quotes=tuple(dict.fromkeys((settings.dollar_asset, *QUOTES))),
        cache_dir=cache_folder(settings.mode, "binance"),
        clock=clock,
        notify=notify,
        requests_per_second=None if is_loopback_origin(base_url) else settings.source_requests_per_minute / 60,
    )


def _open_candles(settings: Settings, clock: Clock, notify: Callable[[str], None]) -> DailyBarSource:
    base_url = settings.bitvavo.base_url
    return BitvavoCandles(
        base_url=base_url,
        cache_dir=cache_folder(settings.mode, "bitvavo"),
        clock=clock,
        notify=notify,
        requests_per_second=None if is_loopback_origin(base_url) else settings.source_requests_per_minute / 60,
    )


SOURCES: dict[DataSource, SourceKind] = {
    "lunarcrush": SourceKind(
        columns=FIELDS,
        base_url=lambda settings: settings.lunarcrush.base_url,
        coin=lambda settings, symbol: settings.lunarcrush_coin(symbol),
        cached_coin=lambda settings, symbol: settings.lunarcrush_coin(symbol),
        open=_open_lunarcrush,
    ),
    "binance": SourceKind(
        columns=COLUMNS,
        base_url=lambda settings: settings.binance_api.data_url,
        coin=lambda settings, symbol: settings.binance_asset(symbol),
        cached_coin=lambda settings, symbol: f"{settings.binance_asset(symbol)}{settings.dollar_asset}",
        open=_open_klines,
        is_quick=True,
    ),
    "bitvavo": SourceKind(
        columns=COLUMNS,
        base_url=lambda settings: settings.bitvavo.base_url,
        coin=lambda settings, symbol: settings.bitvavo_market(symbol),
        cached_coin=lambda settings, symbol: settings.bitvavo_market(symbol),
        open=_open_candles,
        is_quick=True,
    ),
}


def source_kind(settings: Settings) -> SourceKind:
    """Return what is known of the source that these settings name."""
    return SOURCES[settings.data_source]


def open_source(settings: Settings, clock: Clock, notify: Callable[[str], None]) -> DailyBarSource:
    """Return the source that these settings name; notify is called about its waits."""
    return source_kind(settings).open(settings, clock, notify)


def cached_bars(settings: Settings, symbol: str) -> DailyBars | None:
    """Return what the disk holds of a token, without asking anybody; None if it holds nothing."""
    kind = source_kind(settings)
    cache = BarCache(cache_folder(settings.mode, settings.data_source), kind.base_url(settings))
    held = cache.load(symbol, kind.cached_coin(settings, symbol))
    return None if held is None else held.bars
