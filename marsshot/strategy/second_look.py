"""When one look at a price is not enough to sell by it, and when a token is no longer the coin that was bought.

Takes values, returns verdicts. Never fetches, never reads a clock, knows no venue by name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import IntEnum, StrEnum

from marsshot.core.amounts import EXACT, ONE

SECOND_LOOK_AFTER = timedelta(seconds=60)
RECENT = timedelta(hours=1)  # an older price says little about a jump
LONE_MOVE = Decimal("0.30")  # the most that one venue alone may tell of since the last look
BEYOND_BELIEF = Decimal(10)  # times up, or down to that part
AFTER_A_HALT = Decimal(3)
# A coin exchanged 1 for n has n times the balance at about 1/n of the price: what else the market did meanwhile, and
# what the owner moved, blurs both.
SAME_WORTH = Decimal("0.25")
CHANGED_BALANCE = Decimal("0.20")
WORTH_ASKING = Decimal("1.25")  # a smaller move since the last look is no exchange of coins; the account is not asked


class Doubt(StrEnum):
    """Why a price is looked at a second time before a rule goes by it; texts stand in the catalogue under `doubt`."""

    CONTRADICTION = "contradiction"  # the venues differ, and only one price would sell
    LONE_VENUE = "lone_venue"  # far from the last price, on the word of one venue
    CRASH = "crash"  # under a tenth, both venues agree, the balance is as it was
    BEYOND_BELIEF = "beyond_belief"  # a jump of a redenomination's size, seen once


class Standstill(StrEnum):
    """Why nothing of a token is sold or bought; texts stand in the catalogue under `standstill`."""

    REPLACED = "replaced"  # redenominated, or another coin under the same ticker: until the owner says otherwise
    NAMESAKE = "namesake"  # less is held than the book says, at a price beyond belief: while it is so


@dataclass(frozen=True, slots=True)
class LastLook:
    """The last price of a token that was believed, in quote asset."""

    price: Decimal
    time: datetime
    was_halted: bool = False  # the pair was not traded at some time since
    owners_share: Decimal | None = None  # of the account's balance then: what is not the bot's; None: not known


@dataclass(frozen=True, slots=True)
class Balance:
    """What the account holds of a token, and what it should by the last reading and the bot's own orders since."""

    expected: Decimal
    held: Decimal

    @property
    def ratio(self) -> Decimal | None:
        """Held to expected; None where nothing was expected."""
        return self.held / self.expected if self.expected > 0 else None


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a token.

    price: the one to go by. other_price: the other venue's, where both answered and contradict each other.
    vouched: both venues answered and agree. balance: None where the account was not asked, or, where the look
    is_blind, did not answer.
    """

    price: Decimal
    time: datetime
    vouched: bool
    other_price: Decimal | None = None
    balance: Balance | None = None
    is_second: bool = False
    is_blind: bool = False


def wants_balance(look: Look, last: LastLook | None) -> bool:
    """Return whether the price has moved so far since the last look, whenever that was, that the balance matters."""
    return last is not None and _is_beyond(WORTH_ASKING, last.price, look.price)


class Effect(IntEnum):
    """What the rules would do by a price, the least first."""

    NOTHING = 0
    PARTIAL_SALE = 1
    NEW_TOP = 2  # keep it as the top of a trailing stop, which later sells the whole position; maybe sell a part, too
    FULL_SALE = 3


def judge(look: Look, last: LastLook | None, would_act: Callable[[Decimal], Effect]) -> Doubt | Standstill | None:
    """Return what keeps the rules from going by this look; None: they may.

    would_act: the `Effect` of a price. Where the venues contradict each other, the other price must ask for as much: a
    wick sells no whole position because the true price would sell a part of it. Two new tops are two different ones.
    """
    if last is not None and (jump := _judge_jump(look, last)) is not None:
        return jump
    if look.is_second or not (effect := would_act(look.price)):
        return None
    if look.other_price is not None:
        is_agreed = effect is not Effect.NEW_TOP and would_act(look.other_price) >= effect
        return None if is_agreed else Doubt.CONTRADICTION
    is_lone = not look.vouched and last is not None and is_recent(last.time, look.time)
    return Doubt.LONE_VENUE if is_lone and last is not None and _moved_more_than(LONE_MOVE, look, last) else None


def _judge_jump(look: Look, last: LastLook) -> Doubt | Standstill | None:
    if (standstill := _standstill(look, last)) is not None:
        return standstill
    is_untold = _is_jump(look, last) and look.balance is None
    if is_untold or (look.is_blind and is_beyond_belief(last.price, look.price)):
        return Doubt.BEYOND_BELIEF  # however often it is seen: what it is, the balance alone can tell
    return Doubt.CRASH if _is_crash(look, last) and not look.is_second else None


def _standstill(look: Look, last: LastLook) -> Doubt | Standstill | None:
    came_back_odd = last.was_halted and _is_beyond(AFTER_A_HALT, last.price, look.price)
    is_jump = _is_jump(look, last) and look.balance is not None and not _is_crash(look, last)
    if is_exchange_of_coins(look, last) or came_back_odd or is_jump:
        return Standstill.REPLACED if look.is_second else Doubt.BEYOND_BELIEF
    is_short = look.balance is not None and look.balance.held < look.balance.expected
    if is_short and look.price > EXACT.multiply(last.price, BEYOND_BELIEF):
        return Standstill.NAMESAKE
    return None


def _is_jump(look: Look, last: LastLook) -> bool:
    return is_recent(last.time, look.time) and is_beyond_belief(last.price, look.price)


def is_exchange_of_coins(look: Look, last: LastLook) -> bool:
    """Return whether the balance has changed by about the inverse of the price since the last look."""
    ratio = look.balance.ratio if look.balance is not None else None
    if ratio is None or abs(ratio - ONE) <= CHANGED_BALANCE:
        return False
    return abs(ratio * look.price / last.price - ONE) <= SAME_WORTH


def _is_crash(look: Look, last: LastLook) -> bool:
    """Return whether the price fell under a tenth, both venues tell of it, and the balance is as it was."""
    fell = EXACT.multiply(look.price, BEYOND_BELIEF) < last.price
    ratio = look.balance.ratio if look.balance is not None else None
    return fell and look.vouched and ratio is not None and abs(ratio - ONE) <= CHANGED_BALANCE


def is_recent(before: datetime, now: datetime) -> bool:
    """Return whether a price of then says something about one of now; one of a time to come: the clock was set back."""
    return now - before < RECENT


def is_beyond_belief(before: Decimal, price: Decimal) -> bool:
    """Return whether the price has moved by a redenomination's size, in whatever time."""
    return _is_beyond(BEYOND_BELIEF, before, price)


def _is_beyond(times: Decimal, before: Decimal, price: Decimal) -> bool:
    """Return whether the price is more than so many times the one before, or under that part of it."""
    return price > EXACT.multiply(before, times) or EXACT.multiply(price, times) < before


def _moved_more_than(share: Decimal, look: Look, last: LastLook) -> bool:
    return abs(EXACT.subtract(look.price, last.price)) > EXACT.multiply(last.price, share)
