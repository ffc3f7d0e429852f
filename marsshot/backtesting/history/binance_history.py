"""The dataset of `backtest.py --source binance`: daily and five-minute bars of any span, fetched and kept.

Daily bars come from the klines that the bot itself asks, and from the bulk files where a pair is traded no more; bars
inside the day come from the bulk files, those of the last days from klines. A token that cannot be had is left out and
told. Knows no rules.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from marsshot.backtesting.history.bar_csv import DECIMALS
from marsshot.backtesting.history.bulk_klines import DAY, HOST, BulkKlines, FaultyFileError, Rows, bytes_needed
from marsshot.backtesting.history.intraday_bars import IntradayBars, prices_within_bars
from marsshot.backtesting.history.market_history import MARKET, Dataset, dataset_from_bars
from marsshot.config.addresses import is_loopback_origin
from marsshot.config.bot_files import CACHE_FOLDER
from marsshot.config.settings import Settings
from marsshot.core.catalog import LocalizedText
from marsshot.core.errors import InputError, MarsShotError, TemporaryError
from marsshot.infra.clock import Clock
from marsshot.market_data.bar_cache import DailyBars
from marsshot.market_data.base import NotTrackedError, UnusableBarsError
from marsshot.market_data.binance_public import BinancePublic
from marsshot.market_data.daily_bar_sources import QUOTES, SOURCES, open_source
from marsshot.market_data.klines_parser import bars_from_klines, numbers_of, read_klines
from marsshot.market_data.public_host import OK

WARM_UP_DAYS = 60  # of indicators, before the first day that a model learns from
CONNECTIONS = 8
STEP_SECONDS = 300
PAGE = 1000
Progress = Callable[[str, int, int], None]
"""Told what is being fetched, how much of it is there, and of how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which bars: of the traded tokens inside the day, too."""

    traded: tuple[str, ...]
    training: tuple[str, ...]
    first: date
    last: date


@dataclass(slots=True)
class Fetched:
    """What could be had, and why the rest could not, by token."""

    daily: dict[str, DailyBars] = field(default_factory=dict)
    intraday: dict[str, IntradayBars] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


class BinanceHistory:
    """What one run of the backtest fetches. Raises InputError, TemporaryError, SourceRefusedError."""

    def __init__(self, settings: Settings, clock: Clock, notify: Callable[[str], None], progress: Progress) -> None:
        self._settings = settings
        self._clock = clock
        self._notify = notify
        self._progress = progress
        data_url = settings.binance_api.data_url
        self._public = BinancePublic(data_url)
        files = self._public if is_loopback_origin(data_url) else BinancePublic(HOST)
        self._bulk = BulkKlines(files, Path(CACHE_FOLDER) / "bulk")
        self._quotes = tuple(dict.fromkeys((settings.dollar_asset, *QUOTES)))

    def dataset(self, wanted: Wanted) -> tuple[Dataset, Mapping[str, str]]:
        """Return the bars, and why a token is not among them."""
        today = self._clock.now().date()
        self._say_what_it_takes(wanted)
        fetched = Fetched()
        self._fetch_daily(wanted, today, fetched)
        traded = [token for token in wanted.traded if token in fetched.daily]
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            jobs = {
                token: pool.submit(self._within_days, token, fetched.daily[token], wanted, today) for token in traded
            }
            try:
                for done, (token, job) in enumerate(jobs.items(), 1):
                    try:
                        if (bars := job.result()) is not None:
                            fetched.intraday[token] = bars
                    except FaultyFileError as error:
                        self._leave_out(token, error.message, fetched)
                    self._progress(LocalizedText("backtest.progress.intraday_bars"), done, len(jobs))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        if missing := [token for token in MARKET if token not in fetched.daily]:
            why = fetched.left_out.get(missing[0], "")
            raise TemporaryError(LocalizedText("backtest.fault.no_score_without", token=missing[0], why=why))
        return dataset_from_bars(LocalizedText("backtest.klines"), fetched.daily, fetched.intraday), fetched.left_out

    def _say_what_it_takes(self, wanted: Wanted) -> None:
        needed = bytes_needed("5m", len(wanted.traded), wanted.first, wanted.last)
        free = shutil.disk_usage(Path.cwd()).free
        self._notify(
            LocalizedText(
                "backtest.space",
                count=len(wanted.traded),
                first=wanted.first,
                last=wanted.last,
                needed=needed / 1e6,
                folder=f"{CACHE_FOLDER}/bulk",
                free=free / 1e6,
            )
        )
        if needed > free:
            raise InputError(LocalizedText("backtest.fault.no_room"))

    def _leave_out(self, token: str, why: str, fetched: Fetched) -> None:
        fetched.daily.pop(token, None)
        fetched.left_out[token] = why

    # ------------------------------------------------------------------ days

    def _fetch_daily(self, wanted: Wanted, today: date, fetched: Fetched) -> None:
        kind, source = SOURCES["binance"], open_source(self._settings, self._clock, self._notify)
        begin = wanted.first - timedelta(days=self._settings.training.days + WARM_UP_DAYS)
        tokens = dict.fromkeys((*MARKET, *wanted.traded, *wanted.training))
        coins = {token: kind.coin(self._settings, token) for token in tokens}
        for done, (token, answer) in enumerate(source.each_daily_bars(coins, (today - begin).days), 1):
            self._progress(LocalizedText("backtest.progress.daily_bars"), done, len(coins))
            if isinstance(answer, DailyBars):
                found: DailyBars | str = answer
            elif isinstance(answer, NotTrackedError):
                found = self._daily_from_files(token, begin, wanted.last, today, answer)
            elif isinstance(answer, UnusableBarsError):
                found = answer.message
            else:
                raise answer
            self._take_daily(token, found, wanted, fetched)

    def _daily_from_files(
        self, token: str, begin: date, last: date, today: date, error: MarsShotError
    ) -> DailyBars | str:
        """Return the days of a pair that is traded no more; why there are none, where there are no files either."""
        if token not in self._settings.tokens_daily:
            return error.message
        try:
            rows = self._from_any_pair(token, "1d", begin, last, today)
        except FaultyFileError as faulty:
            return faulty.message
        if not len(rows):
            return error.message
        # the fields of a kline, at their places
        full = [[*row[:5], 0, row[5], row[6]] for row in rows.tolist()]
        first, end = np.datetime64(begin, "D"), np.datetime64(last + DAY, "D")
        return bars_from_klines(token, full, first, end, self._clock.now().timestamp() * 1000)

    def _take_daily(self, token: str, found: DailyBars | str, wanted: Wanted, fetched: Fetched) -> None:
        if isinstance(found, str):
            fetched.left_out[token] = found
            return
        bars = found.between(found.days[0], np.datetime64(wanted.last + DAY, "D")) if len(found.days) else found
        inside = bars.days[bars.days >= np.datetime64(wanted.first - DAY, "D")]
        if not len(bars.days) or (token in wanted.traded and not len(inside)):
            fetched.left_out[token] = LocalizedText(
                "backtest.fault.no_bar_in_span", token=token, first=wanted.first, last=wanted.last
            )
        elif holes := _holes(inside) if token in {*wanted.traded, *MARKET} else 0:
            fetched.left_out[token] = LocalizedText(
                "backtest.fault.days_missing",
                token=token,
                count=holes,
                first=inside[0].astype(date),
                last=inside[-1].astype(date),
            )
        else:
            fetched.daily[token] = bars

    def _from_any_pair(self, token: str, interval: str, first: date, last: date, today: date) -> Rows:
        asset = SOURCES["binance"].coin(self._settings, token)
        rows = np.empty((0, 7))
        for quote in self._quotes:
            rows = self._bulk.rows(asset + quote, interval, first, last, today)
            if len(rows):
                break
        return rows

    # ------------------------------------------------------------------ inside the day

    def _within_days(self, token: str, daily: DailyBars, wanted: Wanted, today: date) -> IntradayBars | None:
        """Return the five-minute bars of a token; None where there are none. Raises FaultyFileError, TemporaryError."""
        first = max(wanted.first, daily.days[0].astype(date))
        rows = self._from_any_pair(token, "5m", first, wanted.last, today)
        until = first - DAY if not len(rows) else _day_of(float(rows[-1, 0]))
        late_from = max(until + DAY, today - 7 * DAY)
        if late_from <= wanted.last:
            rows = np.concatenate([rows, self._late_rows(token, late_from, wanted.last)])
        return _intraday(rows) if len(rows) else None

    def _late_rows(self, token: str, first: date, last: date) -> Rows:
        """Return the bars of the last days, which have no file yet."""
        asset = SOURCES["binance"].coin(self._settings, token)
        start, end = (int((day - date(1970, 1, 1)).days) * 86_400_000 for day in (first, last + DAY))
        found: list[Rows] = []
        while start < end:
            asked: dict[str, str | int] = {"symbol": asset + self._quotes[0], "interval": "5m"}
            span: dict[str, str | int] = {"startTime": start, "endTime": end - 1, "limit": PAGE}
            page = self._page({**asked, **span})
            if not page:
                break
            found.append(numbers_of(page, (0, 1, 2, 3, 4, 6, 7)))
            start = int(found[-1][-1, 0]) + STEP_SECONDS * 1000
        return np.concatenate([np.empty((0, 7)), *found])

    def _page(self, asked: Mapping[str, str | int]) -> list[list[object]]:
        status, _, content = self._public.get("/api/v3/klines", asked)
        if status != OK:
            return []
        try:
            return read_klines(content)
        except ValueError as error:
            raise FaultyFileError(
                LocalizedText("backtest.fault.odd_klines", pair=str(asked["symbol"]), what=error.args[0])
            ) from None


def _day_of(ms: float) -> date:
    return date(1970, 1, 1) + timedelta(days=int(ms // 86_400_000))


def _holes(days: Iterable[object]) -> int:
    found = np.asarray(days, dtype="datetime64[D]")
    return int((found[-1] - found[0]).astype(int)) + 1 - len(found) if len(found) else 0


def _intraday(rows: Rows) -> IntradayBars:
    """Return the bars, each once, with the way of the price through each."""
    times, order = np.unique((rows[:, 0] // 1000).astype(np.int64), return_index=True)
    ticks = prices_within_bars(np.rint(rows[order, 1:5] * 10**DECIMALS).astype(np.int64))
    days = frozenset(np.unique(times // 86_400).tolist())
    return IntradayBars(times, np.full(len(times), STEP_SECONDS), ticks, days)
