"""What `recover` makes of a book of any earlier moment, or of none, once a run is over: what is really the bot's.

Writes nothing. The orders come from the exchange as they come to the command; owner's and bot's shares are the world's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path

from marsshot.chaos.simulation import CAPITAL, START, TOKENS, Simulation
from marsshot.config.bot_files import CASH_FLOWS
from marsshot.core.book import Book
from marsshot.core.orders import OwnOrder
from marsshot.core.trading_rules import TradingRules
from marsshot.exchange.base import Exchange
from marsshot.portfolio.cash_flows_file import read_cash_flows
from marsshot.portfolio.ledger import new_book
from marsshot.portfolio.performance import with_recorded_flows
from marsshot.portfolio.reconciliation import since_ms
from marsshot.portfolio.recovery import fitted_to_account, orders_unknown_to, replayed
from marsshot.portfolio.serialization import book_from_json

EARLIER_BOOKS = 4  # of a run
ZERO = Decimal(0)


def faults_of_recovery(simulation: Simulation, saved: list[bytes]) -> Iterator[str]:
    """Yield how the recovered books differ from what is there. saved: every book of the run, oldest first."""
    exchange = simulation.new_exchange()
    pairs = {simulation.settings.pair(token): token for token in TOKENS}
    rules = {pairs[pair]: known for pair, known in exchange.trading_rules(pairs).items()}
    first_ms = int(START.timestamp() * 1000)
    orders = [order for pair in pairs for order in exchange.own_orders(pair, first_ms)]
    flows = read_cash_flows(Path(CASH_FLOWS), simulation.disk)
    step = max(1, len(saved) // EARLIER_BOOKS)
    for number, content in enumerate(saved[::step]):
        book = book_from_json(content.decode(), "an earlier book")
        told = f"recovered from book {number * step + 1} of {len(saved)}"
        book = with_recorded_flows(book, flows)
        unknown = orders_unknown_to(book, orders, since_ms(book, exchange.now_ms()))
        yield from _faults_of(told, _recovered(book, unknown, rules, exchange), simulation)
    begun = new_book("live", simulation.venue.money, CAPITAL, simulation.clock.now(), simulation.venue.exchange)
    begun = with_recorded_flows(begun, flows)
    unknown = orders_unknown_to(begun, orders, 0)
    yield from _faults_of("recovered without a book", _recovered(begun, unknown, rules, exchange), simulation)


def _recovered(book: Book, unknown: Sequence[OwnOrder], rules: Mapping[str, TradingRules], exchange: Exchange) -> Book:
    recovery = replayed(book, unknown, rules, {}, Decimal("0.2"))
    return fitted_to_account(recovery, exchange.account(), rules).book


def _faults_of(told: str, book: Book, simulation: Simulation) -> Iterator[str]:
    there = simulation.owner.bots_share(simulation.venue.money)
    if book.capital != there:
        yield f"{told}: the capital is {book.capital}, of which {there} are there"
    for token in TOKENS:
        held = book.positions.get(token)
        counted = (held.qty if held is not None else ZERO) + book.dust.get(token, ZERO)
        if counted != simulation.owner.bots_share(token):
            yield f"{told}: {counted} {token}, of which {simulation.owner.bots_share(token)} are there"
