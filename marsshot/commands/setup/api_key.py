"""What `main.py check` and `setup` ask of the key, and what else check asks at one exchange alone. Sends no order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from marsshot.bot.bootstrap import binance_of, bitvavo_of
from marsshot.commands.checking.findings import Finding, Level
from marsshot.config.settings import Settings
from marsshot.core.catalog import Catalog
from marsshot.core.errors import MarsShotError
from marsshot.infra.clock import Clock

if TYPE_CHECKING:
    from marsshot.exchange.binance.exchange import BinanceExchange
    from marsshot.exchange.bitvavo.exchange import BitvavoExchange


def key_findings(settings: Settings, clock: Clock, catalog: Catalog) -> Iterator[Finding]:
    """Yield what the key may do at the exchange of the settings."""
    if settings.exchange == "bitvavo":
        yield _key_of_bitvavo(bitvavo_of(settings, clock, lambda: settings.bitvavo.operator_id), catalog)
    elif settings.mode == "test":  # its host does not have the call that tells
        text = catalog.text("check.key_of_test_money", host=settings.test_host)
        yield Finding(Level.NOTE, catalog.text("subject.key"), text, catalog.text("check.key_of_test_money_remedy"))
    else:
        yield _key_of_binance(binance_of(settings, clock), catalog)


def _key_of_binance(binance: BinanceExchange, catalog: Catalog) -> Finding:
    """Tell what the key may do; where Binance does not say, that is told, and is no fault."""
    subject = catalog.text("subject.key")
    try:
        rights = binance.api_key_permissions()
    except MarsShotError:
        return Finding(Level.NOTE, subject, catalog.text("check.key_unknown"), catalog.text("check.key_look"))
    if rights.may_withdraw:
        return Finding(
            Level.BAD, subject, catalog.text("check.key_withdraws"), catalog.text("check.key_withdraws_remedy")
        )
    if not rights.may_trade:
        return Finding(
            Level.BAD, subject, catalog.text("check.key_no_trade"), catalog.text("check.key_no_trade_remedy")
        )
    if not rights.is_ip_restricted:
        return Finding(
            Level.NOTE, subject, catalog.text("check.key_anywhere"), catalog.text("check.key_anywhere_remedy")
        )
    return Finding(Level.GOOD, subject, catalog.text("check.key_well"))


def _key_of_bitvavo(bitvavo: BitvavoExchange, catalog: Catalog) -> Finding:
    """Tell what the answer shows of the key.

    Whether `capabilities` are the key's or the account's, nobody has published: a right to withdraw is a note.
    """
    subject = catalog.text("subject.key")
    try:
        capabilities = bitvavo.capabilities()
    except MarsShotError as error:
        text = catalog.render(error.message)
        return Finding(Level.BAD, subject, text, catalog.text("check.account_remedy.bitvavo"))
    if not {"buy", "sell"} <= capabilities:
        text = catalog.text("check.bitvavo.no_trade")
        return Finding(Level.BAD, subject, text, catalog.text("check.bitvavo.no_trade_remedy"))
    if capabilities & {"withdrawCrypto", "withdrawFiat"}:
        text = catalog.text("check.bitvavo.withdraws")
        return Finding(Level.NOTE, subject, text, catalog.text("check.bitvavo.withdraws_remedy"))
    return Finding(Level.GOOD, subject, catalog.text("check.bitvavo.key_well"))


def further_findings(settings: Settings, clock: Clock, catalog: Catalog) -> Iterator[Finding]:
    """Yield what else one exchange has: coins that are bound, and what only a first order with a real key shows."""
    if settings.exchange != "bitvavo":
        return
    try:
        staked = bitvavo_of(settings, clock, lambda: settings.bitvavo.operator_id).staked()
    except MarsShotError as error:
        text = catalog.render(error.message)
        yield Finding(Level.BAD, catalog.text("subject.account"), text, catalog.text("check.account_remedy.bitvavo"))
        return
    if bound := sorted(token for token in settings.tokens_daily if settings.exchange_asset(token) in staked):
        text = catalog.text("check.bitvavo.staked", tokens=tuple(bound))
        yield Finding(Level.NOTE, catalog.text("subject.account"), text, catalog.text("check.bitvavo.staked_remedy"))
    yield Finding(Level.NOTE, catalog.text("subject.first_order"), catalog.text("check.bitvavo.first_order"))
