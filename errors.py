"""The errors, named by what the bot does next. str() of each is one line for the owner.

Imports no other room.
"""

from __future__ import annotations


class MarsShotError(Exception):
    """Base of everything this bot raises on purpose; str() is one line for the owner."""

    exit_code = 1


class InputError(MarsShotError):
    """A file, a key or an argument is wrong; mending it is up to the owner. One line per fault."""

    exit_code = 2

    def __init__(self, *faults: str) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


class TemporaryError(MarsShotError):
    """Nothing happened. The same may be tried again later."""

    def __init__(self, message: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class RefusedOrderError(MarsShotError):
    """The exchange refused this order; nothing happened. Leave the token, go on with the others."""


class InsufficientBalanceError(RefusedOrderError):
    """Refused because the account does not hold enough. Nothing happened."""


class OperatorNeededError(MarsShotError):
    """Book and exchange, or book and disk, disagree. No new order until a person has looked."""


class ClockRefusedError(TemporaryError):
    """Refused because of our clock (-1021); nothing happened. Sync with /time and send a new order."""


class AccountTroubleError(MarsShotError):
    """The key or the account may not trade. Nothing happened; no new buys until the owner has looked."""


class UnknownOutcomeError(MarsShotError):
    """The order may have executed. Look it up by client order id before anything else."""


class StopRequested(MarsShotError):  # noqa: N818 - an order from outside, not a fault
    """SIGTERM or SIGINT arrived while waiting; everything that matters is on disk."""

    exit_code = 0
