"""`main.py report --week`: the week in a few lines, from the files alone; no network, changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal

from marsshot.bot.daily_candles import bitcoin_change, bitcoin_closes
from marsshot.bot.journal import LastSeen, PerformancePoint, positions_worth, read_performance
from marsshot.commands.status import book_and_moment, print_lines, score_section, state_of_running_bot
from marsshot.commands.week.lines import Week, WeekGain, week_lines
from marsshot.config.bot_files import CASH_FLOWS, EQUITY, TRADES
from marsshot.config.settings import Settings
from marsshot.core.amounts import ONE, ZERO
from marsshot.core.book import Book
from marsshot.core.catalog import Catalog
from marsshot.core.moments import parse_moment
from marsshot.infra.atomic_files import Disk
from marsshot.infra.csv_rows import CsvLineError
from marsshot.portfolio.cash_flows_file import read_cash_flows
from marsshot.portfolio.performance import index_at, profit_at
from marsshot.portfolio.trades_file import Trade, read_trades, with_trades_of_book

WEEK = timedelta(days=7)


def show_week(settings: Settings) -> int:
    """Print the last seven days; return 0. Raises InputError where there is no book, or none that can be trusted."""
    book, seen, now = book_and_moment(settings)
    catalog = Catalog(settings.language, zone=settings.zone)
    state = state_of_running_bot(settings)
    troubles = () if state is None else state.troubles.items()
    sentences = [
        catalog.text(f"trouble.status.{one.kind.value}", subject=one.subject, since=since) for one, since in troubles
    ]
    print_lines(week_lines(week_of(book, settings, seen, now, sentences), catalog))
    print_lines(score_section(settings, now, catalog))
    return 0


def week_of(book: Book, settings: Settings, seen: LastSeen, now: datetime, troubles: Sequence[str]) -> Week:
    """Return what the files tell of the seven days up to now."""
    start, worth = now - WEEK, book.capital + positions_worth(book, seen)
    flows = read_cash_flows(settings.file(CASH_FLOWS), Disk(), book.unwritten_cash_flows)
    trades = _trades(book, settings)
    return Week(
        start=start,
        end=now,
        quote_asset=book.quote_asset,
        worth=worth,
        cash=book.capital,
        gain=_gain(book, settings, worth, start, now),
        positions=book.positions,
        prices={symbol: price for symbol, (price, _) in seen.prices.items()},
        trades=None if trades is None else [one for one in trades if start < one.time <= now],
        flows=[one for one in flows if start < parse_moment(one.time) <= now],
        troubles=troubles,
    )


def _trades(book: Book, settings: Settings) -> list[Trade] | None:
    try:
        return with_trades_of_book(read_trades(settings.file(TRADES)), book)
    except (OSError, CsvLineError):
        return None


def _gain(book: Book, settings: Settings, worth: Decimal, start: datetime, now: datetime) -> WeekGain | None:
    """Return what was gained since the last row of equity.csv before the week, its first where that is all there is.

    A book that is younger than a week counts from its start.
    """
    since = _base(book, settings, start)
    if since is None or since.index <= 0:
        return None
    return WeekGain(
        since=since.moment,
        share=index_at(worth, book) / since.index - 1,
        profit=profit_at(worth, book) - since.profit,
        bitcoin=bitcoin_change(bitcoin_closes(settings), since.moment, now),
    )


def _base(book: Book, settings: Settings, start: datetime) -> PerformancePoint | None:
    with suppress(ValueError):
        if (started := parse_moment(book.started_at)) >= start:
            return PerformancePoint(started, ZERO, ONE)
    history = read_performance(settings.file(EQUITY), Disk(), book.capital_started)
    before = [one for one in history if one.moment <= start]
    found = before[-1:] or history[:1]
    return found[0] if found else None
