"""The errors, named by what the bot does next. str() of each is one line for the owner, in English.

`message` is the same line as the owner's language needs it: a sentence of the catalogue where the error was given one.

Imports no other module but reasons.py.
"""

from __future__ import annotations

from marsshot.core.reasons import RefusalReason

UNFORESEEN = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What an answer in a form that nobody has foreseen ends with, deep in a calculation: the trouble of one token."""


class MarsShotError(Exception):
    """Base of everything this bot raises on purpose; str() is one line for the owner."""

    exit_code = 1

    @property
    def message(self) -> str:
        """The line as it was given."""
        line = self.args[0] if len(self.args) == 1 else str(self)
        return line if isinstance(line, str) else str(line)

    @property
    def faults(self) -> tuple[str, ...]:
        """The lines as they were given."""
        return (self.message,)


class InputError(MarsShotError):
    """A file, a key or an argument is wrong; mending it is up to the owner. One line per fault."""

    exit_code = 2

    def __init__(self, *faults: str) -> None:
        super().__init__(*faults)

    def __str__(self) -> str:
        """Return the lines."""
        return "\n".join(self.faults)

    @property
    def faults(self) -> tuple[str, ...]:
        """One line per fault, as they were given."""
        return self.args


class TemporaryError(MarsShotError):
    """Nothing happened. The same may be tried again later."""

    def __init__(self, message: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class DiskFullError(TemporaryError):
    """The disk, or the quota on it, has no room left. Nothing happened."""


class OddAnswerError(TemporaryError):
    """The answer about this one token is not to be read; the same question about another may be answered well."""


class PairGoneError(TemporaryError):
    """The exchange does not know the pair any more: what became of its orders, only the balances can tell."""


class NotTradableNowError(TemporaryError):
    """The pair takes no orders now, or no price tells how large one may be.

    Nothing happened; the order may be sent again later, other pairs go on.
    """


class RefusedOrderError(MarsShotError):
    """The exchange refused this order; nothing happened. Leave the token, go on with the others."""

    def __init__(self, message: str, reason: RefusalReason = RefusalReason.OTHER) -> None:
        super().__init__(message)
        self.reason = reason


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


class NamelessOrderError(UnknownOutcomeError):
    """An order that shows no id may be the one that is looked for; the owner alone can tell."""


class StopRequested(MarsShotError):  # noqa: N818 - an order from outside, not a fault
    """SIGTERM or SIGINT arrived while waiting; everything that matters is on disk."""

    exit_code = 0
