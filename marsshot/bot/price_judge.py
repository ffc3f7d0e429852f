"""Whether the rules may go by the price of a held token now: what was last believed of it, and what is looked at again.

The verdicts are strategy/second_look.py's. Reads the account where a jump makes it matter; writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from marsshot.bot.journal import LastSeen
from marsshot.core.amounts import ZERO
from marsshot.core.book import STANDSTILL, Position
from marsshot.core.catalog import LocalizedText
from marsshot.core.errors import MarsShotError
from marsshot.core.moments import parse_moment
from marsshot.infra.clock import Clock
from marsshot.market_data.price_aggregator import PriceSource, Quote
from marsshot.strategy.second_look import (
    SECOND_LOOK_AFTER,
    Balance,
    Doubt,
    Effect,
    LastLook,
    Look,
    Standstill,
    is_beyond_belief,
    is_recent,
    judge,
    wants_balance,
)

BalanceOf = Callable[[str], Decimal | None]
"""Returns what the account holds of a token, free or not; None where that cannot be had now."""


class JudgedQuote(NamedTuple):
    """The quote to go by, without a price where the rules may not; why they may not for long."""

    quote: Quote
    standstill: Standstill | None = None


class _OpenDoubt(NamedTuple):
    """Since when a price is doubted, and when it is looked at again."""

    since: datetime
    next_look_at: datetime


class PriceJudge:
    """Remembers the last believed price of each token. last_looks: what an earlier process saw."""

    def __init__(self, clock: Clock, last_looks: Mapping[str, LastLook] | None = None) -> None:
        self._clock = clock
        self._last: dict[str, LastLook] = dict(last_looks or {})
        self._doubts: dict[str, _OpenDoubt] = {}
        self._believed: set[str] = set()  # at the last look that was taken at them

    def note_halt(self, symbol: str) -> None:
        """Remember that the pair is not traded now: it may come back as another coin."""
        if symbol in self._last:
            self._last[symbol] = replace(self._last[symbol], was_halted=True)

    @property
    def last_looks(self) -> Mapping[str, LastLook]:
        """What was last believed, for the next process."""
        return self._last

    def lacks_share(self, held: Collection[str]) -> bool:
        """Return whether of a held token it is not known what of the account's balance is the owner's."""
        return any(symbol in held and last.owners_share is None for symbol, last in self._last.items())

    def note_balances(self, positions: Mapping[str, Position], balance_of: BalanceOf) -> None:
        """Take what the account holds besides the bot's for the owner's, where nothing is odd about a token."""
        for symbol, position in positions.items():
            last = self._last.get(symbol)
            if last is None or symbol not in self._believed or STANDSTILL in position.said:
                continue
            held = balance_of(symbol)
            if held is not None:
                self._last[symbol] = replace(last, owners_share=max(held - position.qty, ZERO))

    def next_look_at(self, held: Collection[str]) -> datetime | None:
        """Return the moment from which on the first of the held tokens' doubted prices is worth another look."""
        return min((one.next_look_at for symbol, one in self._doubts.items() if symbol in held), default=None)

    def doubted(self, held: Collection[str]) -> tuple[str, ...]:
        """Return the held tokens whose price is due to be looked at again."""
        now = self._clock.now()
        return tuple(symbol for symbol, one in self._doubts.items() if one.next_look_at <= now and symbol in held)

    def begin_look(self, held: Mapping[str, Position], asked: Collection[str]) -> None:
        """Forget tokens that are held no more, and what the owner has looked at since.

        A doubt that this look does not settle waits a minute for the next. asked: the tokens that are looked at.
        """
        for memory in (self._last, self._doubts):
            for symbol in memory.keys() - set(held):
                del memory[symbol]
        for symbol in [one for one in self._last if self._has_been_looked_at(held[one], self._last[one])]:
            del self._last[symbol]
            self._doubts.pop(symbol, None)
        self._believed.difference_update(asked)
        next_look_at = self._clock.now() + SECOND_LOOK_AFTER
        for symbol in set(self.doubted(held)).intersection(asked):
            self._doubts[symbol] = self._doubts[symbol]._replace(next_look_at=next_look_at)

    def is_odd(self, symbol: str, position: Position, quote: Quote) -> bool:
        """Return whether one venue's price alone is not to be gone by while the other may still answer."""
        if quote.price is None:
            return False
        look = Look(quote.price, self._clock.now(), vouched=False)
        return judge(look, self._last_look(symbol, position, quote), lambda _: Effect.FULL_SALE) is not None

    def judged(
        self,
        symbol: str,
        position: Position,
        quote: Quote,
        would_act: Callable[[Decimal], Effect],
        balance_of: BalanceOf,
    ) -> JudgedQuote:
        """Return the quote, without its price where the rules may not go by it at this look."""
        if STANDSTILL in position.said:
            return JudgedQuote(Quote(None, note=LocalizedText("standstill.until_resume")), None)
        if quote.price is None:
            return JudgedQuote(quote)
        last = self._last_look(symbol, position, quote)
        look = self._look(symbol, position, quote, balance_of)
        verdict = judge(look, last, would_act)
        if verdict is None:
            self._believe(symbol, look)
            return JudgedQuote(quote)
        return self._held_back(symbol, look, last, verdict, quote)

    def _look(self, symbol: str, position: Position, quote: Quote, balance_of: BalanceOf) -> Look:
        now, doubt, last = self._clock.now(), self._doubts.get(symbol), self._last_look(symbol, position, quote)
        look = Look(
            quote.price or ZERO,
            now,
            vouched=quote.agrees is True,
            other_price=quote.other_price,
            is_second=doubt is not None and now - doubt.since >= SECOND_LOOK_AFTER,
        )
        if last is None or not wants_balance(look, last):
            return look
        if last.owners_share is None and not is_beyond_belief(last.price, look.price):
            return look  # what is there besides the bot's may have been there before
        held = balance_of(symbol)
        expected = position.qty + (last.owners_share or ZERO)
        return replace(look, balance=Balance(expected, held) if held is not None else None, is_blind=held is None)

    def _has_been_looked_at(self, position: Position, last: LastLook) -> bool:
        """Return whether the owner has given `resume` for a token since: what was seen before says nothing any more.

        A moment to come is none to go by: a clock that was ahead has been set right. A look of a time to come may be
        one of before.
        """
        if not position.resumed_at:
            return False
        resumed, now = parse_moment(position.resumed_at), self._clock.now()
        return resumed <= now and not resumed < last.time <= now

    def _last_look(self, symbol: str, position: Position, quote: Quote) -> LastLook | None:
        """Return the last believed price. Where none was within the hour, what was paid was perhaps.

        Where nothing was seen at all and Coinbase alone has a price: the book's top.
        """
        last, now = self._last.get(symbol), self._clock.now()
        is_known = last is not None and is_recent(last.time, now)
        bought = None if is_known or position.resumed_at else _purchase(position)
        if bought is not None and is_recent(bought.time, now):
            return replace(bought, owners_share=last.owners_share if last is not None else None)
        if last is None and quote.source is PriceSource.COINBASE and quote.agrees is None:
            return LastLook(position.max_price, now)
        return last

    def _believe(self, symbol: str, look: Look) -> None:
        self._doubts.pop(symbol, None)
        before = self._last.get(symbol)
        # While a pair is halted its price stands; only another price tells that it is back.
        is_halted = before is not None and before.was_halted and before.price == look.price
        owners = before.owners_share if before is not None else None
        self._believed.add(symbol)
        self._last[symbol] = LastLook(look.price, look.time, was_halted=is_halted, owners_share=owners)

    def _held_back(
        self, symbol: str, look: Look, last: LastLook | None, verdict: Doubt | Standstill, quote: Quote
    ) -> JudgedQuote:
        before = last.price if last is not None else look.price
        source = LocalizedText(f"price_source.{(quote.source or PriceSource.EXCHANGE).name.lower()}")
        if isinstance(verdict, Doubt):
            self._doubts.setdefault(symbol, _OpenDoubt(look.time, look.time + SECOND_LOOK_AFTER))
            note = LocalizedText(f"doubt.{verdict}", source=source, price=look.price, before=before)
            return JudgedQuote(Quote(None, note=note))
        self._doubts.pop(symbol, None)
        balance = look.balance
        facts = {
            "price": look.price,
            "before": before,
            "held": _plain(balance.held) if balance else "?",
            "expected": _plain(balance.expected) if balance else "?",
        }
        return JudgedQuote(Quote(None, note=LocalizedText(f"standstill.{verdict}", **facts)), verdict)


def _purchase(position: Position) -> LastLook | None:
    """Return the purchase as a look at the price; None where the book does not tell when it was."""
    with suppress(ValueError):
        opened = datetime.fromisoformat(position.opened_at)
        return LastLook(position.entry_price, opened) if opened.tzinfo is not None else None
    return None


def _plain(amount: Decimal) -> str:
    return f"{amount.normalize():f}"


def last_looks_of(seen: LastSeen) -> dict[str, LastLook]:
    """Return what seen.json tells of the last prices, as the looks of an earlier process."""
    return {
        symbol: LastLook(price, moment, was_halted=symbol in seen.halted, owners_share=seen.owners_shares.get(symbol))
        for symbol, (price, moment) in seen.prices.items()
    }


def account_balances(account_total: Callable[[str], Decimal | None]) -> BalanceOf:
    """Return a question for balances that never raises: what cannot be asked now is not known."""

    def balance_of(symbol: str) -> Decimal | None:
        try:
            return account_total(symbol)
        except MarsShotError:
            return None

    return balance_of
