"""The owner of the simulated account: what is his, what he does with it, and what he asks the bot for.

He trades beside the bot, brings money, takes money (also the bot's, for some hours) and pauses buying. Judges nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from marsshot.chaos.asked_requests import AskedRequests
from marsshot.chaos.fault_schedule import FaultSchedule
from marsshot.chaos.filesystem import SimulatedFilesystem
from marsshot.chaos.venues.base import Venue
from marsshot.config.bot_files import DAILY, PAUSE, RESUME, SELL_ALL

OWN_MONEY = Decimal(500)
ZERO = Decimal(0)
_CENT = Decimal("0.01")


class Owner:
    """Acts once an hour. `owned`: of each asset what is his; the rest of the account is the bot's."""

    def __init__(
        self,
        venue: Venue,
        filesystem: SimulatedFilesystem,
        fault_schedule: FaultSchedule,
        tokens: Collection[str],
    ) -> None:
        self._venue = venue
        self._filesystem = filesystem
        self._faults = fault_schedule
        self._tokens = tuple(tokens)
        self._borrowed = ZERO
        self.avoided: set[str] = set()  # tokens that he does not trade: they are other coins now
        self.owned: dict[str, Decimal] = {}
        self.has_asked_to_sell_all = False
        self._paused_since: datetime | None = None
        self.last_active: datetime | None = None
        self._add(venue.money, OWN_MONEY)
        if self._faults.choose((True, False)):
            self._add("ADA", Decimal("77.7"))
        if venue.fee_coin and self._faults.choose((True, False, False)):
            venue.pay_fees_in_coin()
            self._add(venue.fee_coin, self._faults.choose((Decimal("0.003"), Decimal(5))))
        self._activity = self._faults.choose((0.0, 0.05, 0.3))  # how often he trades
        self.requests = AskedRequests(filesystem, fault_schedule, self._tokens)

    def bots_share(self, asset: str) -> Decimal:
        """Return what of an asset is the bot's by now, whatever its book says."""
        there = self._venue.free.get(asset, ZERO) + self._venue.lent(asset)
        return there - self.owned.get(asset, ZERO)

    def note_book(self, book: Mapping[str, Any]) -> Iterator[str]:
        """Let what he has brought to the bot by this book be the bot's, and say what is wrong with its answers."""
        before = self.requests.moved
        yield from self.requests.note(book)
        self.owned[self._venue.money] -= self.requests.moved - before

    def has_traded(self, asset: str) -> bool:
        """Return whether he has, or ever had, coins of this token beside the bot's."""
        return asset in self.owned

    def seconds_paused(self, now: datetime) -> float:
        """Return for how long buying has been paused by him; 0 where it is not."""
        return (now - self._paused_since).total_seconds() if self._paused_since else 0.0

    def exchange_coins(self, token: str, rate: int) -> None:
        """Let the account have so many new coins for each old one, his own among them; he trades no more of it."""
        self._venue.free[token] *= rate
        if token in self.owned:
            self.owned[token] *= rate
        self.avoided.add(token)

    def act(self, now: datetime) -> None:
        """Do what he does in one hour."""
        self.last_active = now
        if self._faults.chance(0.01):
            self._faults.record_event("owner", "asks to sell all")
            self.has_asked_to_sell_all = True
            self._filesystem.put(Path(SELL_ALL), b"")
        if self._faults.chance(0.05):
            self._pause_or_resume(now)
        if self._faults.chance(0.03):
            self._faults.record_event("owner", "asks for today's pass")
            self._filesystem.put(Path(DAILY), b"")
        self.requests.ask()
        if self._faults.chance(self._activity):
            self._trade(now)
        if self._faults.chance(self._activity / 2):
            self._move_money()
        if self._faults.chance(self._activity / 4):
            self._lend()

    def settle(self) -> None:
        """Bring back what he has taken from the bot, or lent."""
        self._add(self._venue.money, self._borrowed)
        self._borrowed = ZERO
        for token in self._tokens:
            if lent := self._venue.lent(token):
                self._venue.lend(token, -lent)

    def resumes(self, now: datetime, standing: Collection[str]) -> bool:
        """Resume after the bot has told him that tokens stand still, when he has seen it; return whether he did."""
        if not standing or self._borrowed or self._has_hidden_coins():
            return False
        if not self._faults.is_fault_free and not self._faults.chance(0.3):
            return False
        self._faults.record_event("owner", f"resumes, for {', '.join(sorted(standing))} at {now:%H:%M}")
        self._filesystem.take(Path(PAUSE))
        self._filesystem.put(Path(RESUME), b"")
        self._paused_since = None
        return True

    def _has_hidden_coins(self) -> bool:
        """Return whether coins of the bot's are where it cannot see them: resumed, it would write them off."""
        return not self._venue.shows_lent_coins and any(map(self._venue.lent, self._tokens))

    def _lend(self) -> None:
        """Move coins of the bot's to where they cannot be sold, or take all back."""
        token = self._faults.choose(self._tokens)
        if not self._venue.shows_lent_coins and self._filesystem.exists(Path(RESUME)):
            return  # he is not so rash as to hide coins while the bot is told to count what is there
        if lent := self._venue.lent(token):
            self._venue.lend(token, -lent)
        elif (bots := self.bots_share(token)) > 0:
            self._venue.lend(token, bots / self._faults.choose(self._venue.parts_lent))
        self._faults.record_event("owner", f"lends {token}, or takes it back")

    def pause(self, now: datetime) -> None:
        """Pause buying, if it is not."""
        if not self._filesystem.exists(Path(PAUSE)):
            self._faults.record_event("owner", "pauses buying: he has been told of an order in doubt")
            self._filesystem.put(Path(PAUSE), b"")
            self._paused_since = now

    def _pause_or_resume(self, now: datetime) -> None:
        if self._filesystem.exists(Path(PAUSE)) and self._has_hidden_coins():
            return  # it may be the bot's, which misses them
        if self._filesystem.exists(Path(PAUSE)):
            self._filesystem.take(Path(PAUSE))
            self._paused_since = None
        else:
            self._filesystem.put(Path(PAUSE), b"")
            self._paused_since = now

    def _trade(self, now: datetime) -> None:
        """Buy or sell coins by hand, out of what is his own."""
        token = self._faults.choose(self._tokens)
        if token in self.avoided:
            return
        price = self._venue.price(token)
        amount = Decimal(self._faults.choose((3, 40, 250)))
        if (bots := self.bots_share(token)) > 0:  # more could be taken for an exchange of coins
            amount = min(amount, (bots / 50).quantize(_CENT, rounding="ROUND_DOWN"))
        if not amount:
            return
        cost = (amount * price).quantize(_CENT)
        if self.owned.get(token, ZERO) > 0 and self._faults.chance(0.5):
            amount = min(amount, self.owned[token])
            self._add(token, -amount)
            self._add(self._venue.money, (amount * price).quantize(_CENT))
            self._venue.note_owners_order(token, -amount, (amount * price).quantize(_CENT), now)
            self._faults.record_event("owner", f"sells {amount} {token}")
        elif cost <= self.owned[self._venue.money] - 1:
            self._add(self._venue.money, -cost)
            self._add(token, amount)
            self._venue.note_owners_order(token, amount, cost, now)
            self._faults.record_event("owner", f"buys {amount} {token}")

    def _move_money(self) -> None:
        """Bring money, take his own, or take the bot's and bring it back later."""
        kind = self._faults.choose(("deposit", "withdrawal", "loan"))
        if kind == "deposit":
            self._add(self._venue.money, Decimal(self._faults.choose((20, 300, 5000))))
        elif kind == "withdrawal" and self.owned[self._venue.money] > 0:
            self._add(
                self._venue.money,
                -(self.owned[self._venue.money] * Decimal(self._faults.choose((1, 3, 10))) / 10).quantize(_CENT),
            )
        elif self._borrowed:
            self.settle()
        elif not self._filesystem.exists(Path(RESUME)):  # the bot would count what is there without it
            share = Decimal(self._faults.choose((5, 9, 10))) / 10
            self._borrowed = max(self._venue.free[self._venue.money] * share, ZERO).quantize(
                _CENT, rounding="ROUND_DOWN"
            )
            self._add(self._venue.money, -self._borrowed)
        self._faults.record_event("owner", f"{kind}, {self._venue.free[self._venue.money]} are left")

    def _add(self, asset: str, amount: Decimal) -> None:
        """Move an asset of his into the account, or out of it."""
        self._venue.free[asset] = self._venue.free.get(asset, ZERO) + amount
        self.owned[asset] = self.owned.get(asset, ZERO) + amount
