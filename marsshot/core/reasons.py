"""The one table of reasons: why an order is sent, left or refused, what a daily update goes by, why an exchange rests.

Each reason is a value that files and rules keep; what people read for it is a sentence of the catalogue that it names.
Imports no other module.
"""

from __future__ import annotations

from enum import StrEnum


class OrderReason(StrEnum):
    """Why an order is sent."""

    DAILY_BUY = "daily_buy"
    DAILY_SELL = "daily_sell"
    STOP_LOSS = "stop_loss"
    TRAILING_STOP = "trailing_stop"
    PARTIAL_TAKE_PROFIT = "partial_take_profit"
    SELL_ALL = "sell_all"
    SELL_TOKEN = "sell_token"  # noqa: S105 - the owner asked for the sale of this one
    RECOVERED = "recovered"  # found at the exchange by `recover`; why it was sent stands nowhere any more

    @property
    def text_key(self) -> str:
        """The catalogue's key of the words for it."""
        return f"reason.{self}"

    @property
    def initials(self) -> str:
        """The first letters of its words: what a client order id says of why the order was sent."""
        return "".join(word[0] for word in self.value.split("_"))


class DecisionReason(StrEnum):
    """Why a daily update decides as it does about a token."""

    AT_BUY_THRESHOLD = "at_buy_threshold"
    BELOW_BUY_THRESHOLD = "below_buy_threshold"
    AT_SELL_THRESHOLD = "at_sell_threshold"
    BELOW_SELL_THRESHOLD = "below_sell_threshold"
    BIG_GAIN = "big_gain"
    NO_PRICE = "no_price"
    PAUSED = "paused"
    EXCLUDED = "excluded"  # by the owner
    DISK_FULL = "disk_full"
    ORDER_IN_DOUBT = "order_in_doubt"
    UNKNOWN_PAIR = "unknown_pair"
    NOT_TRADED = "not_traded"
    NOT_IN_SHARE = "not_in_share"
    CUT_TO_SHARE = "cut_to_share"  # bought, for less: max_share_per_token
    SHARE_TOO_SMALL = "share_too_small"  # max_share_per_token leaves less than the smallest order
    BTC_UNDER_MEAN = "btc_under_mean"
    BTC_TREND_UNKNOWN = "btc_trend_unknown"
    COOLDOWN = "cooldown"
    DRAWDOWN_PAUSE = "drawdown_pause"
    NOT_SCORED = "not_scored"
    NOT_TRACKED = "not_tracked"
    SOURCE_DOWN = "source_down"
    NO_BAR = "no_bar"
    NO_FEATURE = "no_feature"
    IMPOSSIBLE_VALUE = "impossible_value"
    OTHER_COIN = "other_coin"
    NOT_COMPARED = "not_compared"

    @property
    def text_key(self) -> str:
        """The catalogue's key of the words for it."""
        return f"why.{self}"


class SkipReason(StrEnum):
    """Why a step of the daily plan was left undone."""

    TOO_LITTLE_MONEY = "too_little_money"  # the capital is too small for one more order
    PAUSED = "paused"  # buying is; carries why
    EXCLUDED = "excluded"  # the owner wants no purchase of it
    DISK_FULL = "disk_full"  # no room for what a sale needs later
    DISPUTED = "disputed"  # the exchange has sold of it by an order that the book does not know
    TOO_SMALL = "too_small"  # under the smallest order
    SHARE_TOO_SMALL = "share_too_small"  # max_share_per_token leaves less than the smallest order
    REFUSED = "refused"  # by the exchange, or by what an order needs; carries what was said

    @property
    def text_key(self) -> str:
        """The catalogue's key of the words for it."""
        return f"skip.{self}"


class RefusalReason(StrEnum):
    """Why an order was refused, where the bot does something else by it; the exchange's own words stand beside it."""

    BELOW_MINIMUM = "below_minimum"  # the exchange finds it smaller than its smallest order
    OTHER = "other"


class UnsoldReason(StrEnum):
    """Why something is still held that the owner wanted sold; a command and heard.json carry it."""

    IN_DOUBT = "in_doubt"
    DISPUTED = "disputed"
    TOO_SMALL = "too_small"
    SILENCED = "silenced"  # the exchange asks for no requests
    NO_PRICE = "no_price"
    REFUSED = "refused"
    STOPPED = "stopped"  # the command was

    @property
    def text_key(self) -> str:
        """The catalogue's key of the words for it."""
        return f"unsold.{self}"


class DifferenceKind(StrEnum):
    """In what book and exchange differ."""

    SHORTFALL = "short"  # less of a token is there than the book counts
    UNKNOWN_PAIR = "pair"
    CLOSED_PAIR = "closed"
    LENT = "lent"  # coins of a position lie in an earn product
    UNKNOWN_SALE = "sale"  # an order of ours that the book does not know, and less is there than the book counts
    COVERED_SALE = "covered"  # such an order, and as much is there as the book counts: exits go on
    UNKNOWN_PURCHASE = "purchase"
    GONE_ORDER = "gone"  # an order in doubt of a pair that the exchange does not know any more
    NAMELESS_ORDER = "nameless"  # an order in doubt that another, which shows no id, may be
    CAPITAL = "capital"
    UNNAMED = ""  # of a version that this one does not know

    @property
    def is_undecidable_order(self) -> bool:
        """True of an order in doubt that no question to the exchange decides."""
        return self in {DifferenceKind.GONE_ORDER, DifferenceKind.NAMELESS_ORDER}

    @property
    def text_key(self) -> str:
        """The catalogue's key of the words for it; a kind without a name has none."""
        return f"difference.{self}"


class QuietReason(StrEnum):
    """Why an exchange is sent no request for a while."""

    TROUBLE = "trouble"  # it is in trouble, or guards itself: worth a minute at most
    RATE_LIMIT = "rate_limit"  # it was asked too much, and says until when
    BAN = "ban"  # it was asked too much after that, and answers nothing any more
