"""The sections of config.yaml, under the owner's names. Training's are training_settings.py's."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, StringConstraints

from marsshot.config.addresses import Origin
from marsshot.config.bot_files import LOG, is_free_name
from marsshot.config.secret_values import PingUrl, Secret, TelegramChat, TelegramToken
from marsshot.config.training_settings import ScoreScale
from marsshot.core.catalog import LocalizedText
from marsshot.core.exit_settings import ExitSettings
from marsshot.core.lever_settings import LeverSettings
from marsshot.core.setting_types import Multiple, Number, Probability, Section, Whole

MAX_OPERATOR_ID = 2**53  # what JSON's numbers hold exactly everywhere
TELEGRAM_URL = "https://api.telegram.org"

Ticker = Annotated[str, StringConstraints(strict=True, pattern=r"^[^\W_a-z]{1,20}$")]
CoinName = Annotated[str, StringConstraints(strict=True, min_length=1, pattern=r"^[^\s/?#]+$")]


class LunarCrushSection(Section):
    """LunarCrush: daily history."""

    api_key: Secret = SecretStr("")
    base_url: Origin = "https://lunarcrush.com"
    requests_per_minute: Annotated[Whole, Field(ge=1, le=10_000)] = 10


class CoinbaseSection(Section):
    """Coinbase: spot prices."""

    base_url: Origin = "https://api.coinbase.com"


class BitvavoSection(Section):
    """Bitvavo: orders, and the prices that Coinbase's are checked against.

    operator_id: which tells this bot's orders from others' on the account; 0: drawn once, and kept in the book.
    """

    api_key: Secret = SecretStr("")
    api_secret: Secret = SecretStr("")
    base_url: Origin = "https://api.bitvavo.com"
    operator_id: Annotated[Whole, Field(ge=0, lt=MAX_OPERATOR_ID)] = 0


class BinanceSection(Section):
    """Binance spot: orders, and the prices that Coinbase's are checked against."""

    api_key: Secret = SecretStr("")
    api_secret: Secret = SecretStr("")
    base_url: Origin = "https://api.binance.com"
    data_url: Origin = "https://data-api.binance.vision"  # daily bars, with data_source: binance


def _log_file(value: str) -> str:
    if not is_free_name(value):
        raise ValueError(LocalizedText("fault.config.needed.log_file"))
    return value


class LoggingSection(Section):
    """Where the log goes."""

    file: Annotated[str, StringConstraints(strict=True, min_length=1), AfterValidator(_log_file)] = LOG


class HeartbeatSection(Section):
    """Who is told once a minute that the bot is alive."""

    ping_url: PingUrl = SecretStr("")


class TelegramSection(Section):
    """The owner's bot at Telegram and his private chat with it: messages go there, commands come from there alone."""

    token: TelegramToken = SecretStr("")
    chat_id: TelegramChat = SecretStr("")
    base_url: Origin = TELEGRAM_URL

    @property
    def is_set(self) -> bool:
        """Return whether there is somebody to talk to: without a chat there is nobody."""
        return bool(self.token.get_secret_value() and self.chat_id.get_secret_value())

    def is_chat_of(self, url: str) -> bool:
        """Return whether an address of Apprise's is this chat, or this bot's without saying which chat."""
        parts = urlsplit(url)
        chats = {"", self.chat_id.get_secret_value()}
        return parts.netloc == self.token.get_secret_value() and parts.path.strip("/") in chats


def _given_name(value: object) -> object:
    """Refuse YAML's nothing, which a ticker NULL without quotes becomes."""
    if value is None:
        raise ValueError(LocalizedText("fault.config.needed.quoted"))
    return value


class VenueNames(Section):
    """How the venues call a token whose name differs somewhere."""

    lunarcrush: Annotated[CoinName | None, BeforeValidator(_given_name)] = None
    coinbase: Annotated[Ticker | None, BeforeValidator(_given_name)] = None
    binance: Annotated[Ticker | None, BeforeValidator(_given_name)] = None
    bitvavo: Annotated[Ticker | None, BeforeValidator(_given_name)] = None


class StrategySection(LeverSettings, ExitSettings):
    """The owner's rules, under the owner's names; those of exits and levers stand in core/*_settings.py."""

    capital_initial: Annotated[Number, Field(gt=0, le=1_000_000_000)]
    buy_threshold: Annotated[Probability, Field(gt=0)]
    sell_threshold: Probability
    big_gain_exception_pct: Multiple
    check_interval_seconds: Annotated[Whole, Field(ge=1, le=86_400)]
    daily_update_hour_utc: Annotated[Whole, Field(ge=0, le=23)]
    daily_update_minute_utc: Annotated[Whole, Field(ge=0, le=59)] = 30
    max_price_divergence: Annotated[Number, Field(gt=0, le=10)] = Decimal("0.10")
    max_history_divergence: Annotated[Number, Field(gt=0, le=10)] = Decimal("0.50")
    score_scale: ScoreScale = "raw"
