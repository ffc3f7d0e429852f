"""Asks public data which tokens are traded most, under a progress bar."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from marsshot.commands.paper_setup.liquid_tokens import MIN_DAYS, candidates, most_traded
from marsshot.config.settings import Settings
from marsshot.core.catalog import Catalog, LocalizedText
from marsshot.core.errors import TemporaryError
from marsshot.infra.clock import Clock
from marsshot.market_data.bar_cache import DailyBars
from marsshot.market_data.binance_public import BinancePublic
from marsshot.market_data.daily_bar_sources import open_source, source_kind

MIN_TOKENS = 5


def listed_at_binance(public: BinancePublic, quote: str) -> list[str]:
    """Return the coins that trade against this quote. Raises SourceRefusedError or TemporaryError."""
    info = public.content("/api/v3/exchangeInfo", {"symbolStatus": "TRADING", "showPermissionSets": "false"})
    rows = info.get("symbols") if isinstance(info, dict) else None
    return candidates((row for row in rows or () if isinstance(row, dict)), quote)


def search_tokens(names: Sequence[str], settings: Settings, clock: Clock, console: Console) -> list[str]:
    """Return the most traded of these coins. Their bars are the ones that training needs: they stay in the cache.

    Raises TemporaryError where too few have any.
    """
    catalog = Catalog(settings.language)
    source = open_source(settings, clock, lambda line: console.print(catalog.render(line), highlight=False))
    coins = {name: source_kind(settings).coin(settings, name) for name in names}
    days = max(settings.training.days, MIN_DAYS)
    histories: dict[str, DailyBars] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(catalog.text("paper.choosing"), total=len(coins))
        for symbol, answer in source.each_daily_bars(coins, days):
            bar.advance(task)
            if isinstance(answer, DailyBars):
                histories[symbol] = answer
    tokens = most_traded(histories, np.datetime64(clock.now().date(), "D") - np.timedelta64(1, "D"))
    if len(tokens) < MIN_TOKENS:
        raise TemporaryError(LocalizedText("paper.too_few", count=len(tokens), asked=len(coins)))
    return tokens
