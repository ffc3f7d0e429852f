"""What `main.py setup` asks of the venues: what a key may do and what is free; which tokens to suggest.

Sends no order; changes nothing but the cache of daily bars.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal

from rich.console import Console

from marsshot.bot.bootstrap import bitvavo_of, exchange_of
from marsshot.commands.checking.findings import Finding, Level
from marsshot.commands.checking.venues import account_finding
from marsshot.commands.paper_setup.liquid_tokens import coins_of_their_own
from marsshot.commands.paper_setup.token_search import listed_at_binance, search_tokens
from marsshot.commands.setup.api_key import key_findings
from marsshot.commands.setup.dialog import AccountLook
from marsshot.config.settings import Settings
from marsshot.core.catalog import Catalog
from marsshot.core.errors import MarsShotError, TemporaryError
from marsshot.infra.clock import SystemClock
from marsshot.market_data.binance_public import BinancePublic
from marsshot.market_data.coinbase import Coinbase
from marsshot.market_data.price_aggregator import fetch_prices_for_symbols
from marsshot.monitoring.telegram_api import TelegramApi, latest_private_chat

SUGGESTED = 20


class Venues:
    """The venues that the settings name."""

    def account(self, settings: Settings, catalog: Catalog) -> AccountLook:
        """Return what the key may do, and what is free. Raises TemporaryError where that cannot be had now."""
        clock = SystemClock()
        try:
            account = exchange_of(settings, clock).account()
        except TemporaryError:
            raise
        except MarsShotError as error:
            told, remedy = catalog.render(error.message), catalog.text(f"check.account_remedy.{settings.exchange}")
            return AccountLook([Finding(Level.BAD, catalog.text("subject.account"), told, remedy)])
        findings = [account_finding(account, settings, catalog), *key_findings(settings, clock, catalog)]
        return AccountLook(findings, account.free.get(settings.quote_asset, Decimal(0)))

    def tokens(self, settings: Settings, catalog: Catalog) -> Sequence[str]:
        """Return the tokens most traded at the exchange whose price Coinbase agrees with. Raises TemporaryError."""
        clock = SystemClock()
        by_bars = settings.model_copy(update={"data_source": settings.exchange, "mode": "paper"})
        if settings.exchange == "bitvavo":
            names = coins_of_their_own(bitvavo_of(by_bars, clock, lambda: 0).tokens_for(settings.quote_asset))
        else:
            names = listed_at_binance(BinancePublic(settings.binance_api.data_url), settings.quote_asset)
        found = search_tokens(names, by_bars, clock, Console())
        coinbase = Coinbase(settings.coinbase.base_url, currency=settings.exchange_facts.currency)
        try:
            quotes, _ = fetch_prices_for_symbols(found, by_bars, coinbase, exchange_of(by_bars, clock))
        finally:
            coinbase.close()
        return [token for token in found if quotes[token].agrees][:SUGGESTED]

    def telegram_name(self, settings: Settings) -> str:
        """Return the name of the owner's bot at Telegram. Raises TelegramRefusedError, TelegramSilentError."""
        with _telegram(settings) as api:
            return str(api.call("getMe")["username"])

    def telegram_chat(self, settings: Settings) -> tuple[int, str] | None:
        """Return the private chat that wrote to that bot last, and whose it is. Raises as above."""
        with _telegram(settings) as api:
            return latest_private_chat(api)


@contextmanager
def _telegram(settings: Settings) -> Iterator[TelegramApi]:
    api = TelegramApi(settings.telegram.base_url, settings.telegram.token.get_secret_value())
    try:
        yield api
    finally:
        api.close()
