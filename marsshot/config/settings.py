"""The settings: what config.yaml may hold, checked and frozen. The owner's key names are translated here only.

`config_file.read_settings` reads the file. Never fetches, never trades.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, StringConstraints, ValidationInfo

from marsshot.config.bot_files import LOG, Mode, file_in_mode, is_free_name
from marsshot.config.data_sources import SOURCE_FACTS, DataSource
from marsshot.config.exchanges import EXCHANGE_FACTS, ExchangeFacts, ExchangeName
from marsshot.config.training_settings import ScoreScale, TrainingSection
from marsshot.config.training_tokens import DEFAULT_TRAINING_TOKENS
from marsshot.core.catalog import Language, LocalizedText
from marsshot.core.decisions import DailyRules
from marsshot.core.exit_settings import ExitRules, ExitSettings
from marsshot.core.lever_settings import LeverRules, LeverSettings
from marsshot.core.setting_types import Multiple, Number, Probability, Section, Whole

SECRET_VARIABLES = {
    "LUNARCRUSH_API_KEY": ("lunarcrush", "api_key"),
    "BINANCE_API_KEY": ("binance_api", "api_key"),
    "BINANCE_API_SECRET": ("binance_api", "api_secret"),
    "BITVAVO_API_KEY": ("bitvavo", "api_key"),
    "BITVAVO_API_SECRET": ("bitvavo", "api_secret"),
    "MARSSHOT_PING_URL": ("heartbeat", "ping_url"),
    "TELEGRAM_TOKEN": ("telegram", "token"),
    "TELEGRAM_CHAT_ID": ("telegram", "chat_id"),
}

DEFAULT_EXCHANGE: ExchangeName = "binance"
MAX_OPERATOR_ID = 2**53  # what JSON's numbers hold exactly everywhere
NOTIFY_VARIABLE = "MARSSHOT_NOTIFY"  # URLs with blanks or commas between them; they win over the file's

WeeklyReport = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "never"]

TELEGRAM_URL = "https://api.telegram.org"

_BLANKS = " \t\r\n"  # around a key: left by a copy, or by the end of a file's line
_FIRST_SIGN, _LAST_SIGN = "!", "~"  # of printable ASCII without the blank


def _secret(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(LocalizedText("fault.config.needed.secret"))
    return plain_secret(value)


def plain_secret(text: str) -> str:
    """Return a key without the blanks around it. Raises ValueError that names the place of what no key holds."""
    _refuse_sign(text, lambda sign: _FIRST_SIGN <= sign <= _LAST_SIGN)
    return text.strip(_BLANKS)


def _refuse_sign(text: str, is_allowed: Callable[[str], bool]) -> None:
    start = len(text) - len(text.lstrip(_BLANKS))
    for place, sign in enumerate(text.strip(_BLANKS), start + 1):
        if not is_allowed(sign):
            raise ValueError(
                LocalizedText("fault.config.needed.sign", place=str(place), code_point=f"U+{ord(sign):04X}")
            )


def _timezone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise ValueError(LocalizedText("fault.config.needed.timezone")) from None
    return value


def _quote_asset(value: str, info: ValidationInfo) -> str:
    """Check that the exchange sells for this, and that it is worth one unit of what prices are compared in."""
    facts = EXCHANGE_FACTS[info.data.get("exchange", DEFAULT_EXCHANGE)]
    if value not in facts.quote_assets:
        key = "fault.config.needed.dollar" if len(facts.quote_assets) > 1 else "fault.config.needed.quote"
        raise ValueError(LocalizedText(key, list=facts.quote_assets, name=facts.name))
    return value


def _usual_quote_asset(data: dict[str, Any]) -> str:
    return EXCHANGE_FACTS[data.get("exchange", DEFAULT_EXCHANGE)].quote_assets[0]


def _given_name(value: object) -> object:
    """Refuse YAML's nothing, which a ticker NULL without quotes becomes."""
    if value is None:
        raise ValueError(LocalizedText("fault.config.needed.quoted"))
    return value


def _ping_url(value: object) -> object:
    """Check a URL that is a secret: whoever knows it can keep the alarm silent."""
    url = _secret(value)
    if url and not _is_secure(url):
        raise ValueError(LocalizedText("fault.config.needed.ping_url"))
    return url


def _is_secure(url: str) -> bool:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    secure = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
    return secure and bool(parts.hostname)


def _notify_url(value: object) -> object:
    """Check that this may be one of Apprise's URLs; Apprise itself is asked when a message is sent."""
    if not isinstance(value, str):
        raise ValueError(LocalizedText("fault.config.needed.secret"))
    _refuse_sign(value, lambda sign: sign.isprintable() and not sign.isspace())  # a name in it may have any letters
    url = value.strip(_BLANKS)
    if not re.match(r"[a-z][a-z0-9]*://.", url):
        raise ValueError(LocalizedText("fault.config.needed.notify_url"))
    return url


def _telegram_token(value: object) -> object:
    """Check a bot's token: it becomes a part of an address."""
    token = _secret(value)
    if token and not re.fullmatch(r"[0-9]{5,20}:[A-Za-z0-9_-]{20,100}", token):
        raise ValueError(LocalizedText("fault.config.needed.telegram_token"))
    return token


def _telegram_chat(value: object) -> object:
    """Check the number of a private chat, which is its owner's own; a group's is negative. YAML reads a number."""
    chat = _secret(str(value) if isinstance(value, int) and not isinstance(value, bool) else value)
    if chat and not re.fullmatch(r"[1-9][0-9]{4,15}", chat):
        raise ValueError(LocalizedText("fault.config.needed.telegram_chat"))
    return chat


def _origin(value: str) -> str:
    """Check scheme://host[:port]; plain http is for loopback only."""
    parts = urlsplit(value)
    try:
        _ = parts.port
    except ValueError:
        raise ValueError(LocalizedText("fault.config.needed.port")) from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(LocalizedText("fault.config.needed.origin"))
    too_much = parts.path not in {"", "/"} or parts.query or parts.fragment or parts.username or parts.password
    if too_much or re.search(r"[\s?#]", value):
        raise ValueError(LocalizedText("fault.config.needed.origin_alone"))
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError(LocalizedText("fault.config.needed.https"))
    return value.rstrip("/")


def is_loopback(host: str) -> bool:
    """Return whether this host, a name or an address, is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_loopback_origin(base_url: str) -> bool:
    """Return whether this origin is on this machine."""
    return is_loopback(urlsplit(base_url).hostname or "")


Secret = Annotated[SecretStr, BeforeValidator(_secret)]
NotifyUrl = Annotated[SecretStr, BeforeValidator(_notify_url)]
PingUrl = Annotated[SecretStr, BeforeValidator(_ping_url)]
TelegramToken = Annotated[SecretStr, BeforeValidator(_telegram_token)]
TelegramChat = Annotated[SecretStr, BeforeValidator(_telegram_chat)]
Origin = Annotated[str, Field(strict=True), AfterValidator(_origin)]
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


def _typed_mode(value: object) -> object:
    """Refuse what no file says: the mode of test money follows from the exchange's host."""
    if value == "test":
        raise ValueError
    return value


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


class Settings(Section):
    """The whole of config.yaml."""

    mode: Annotated[Mode, BeforeValidator(_typed_mode)]
    language: Language = "en"
    timezone: Annotated[str, Field(strict=True), AfterValidator(_timezone)] = "UTC"
    exchange: ExchangeName = DEFAULT_EXCHANGE
    quote_asset: Annotated[Ticker, AfterValidator(_quote_asset)] = Field(default_factory=_usual_quote_asset)
    data_source: DataSource = "lunarcrush"
    tokens_daily: Annotated[tuple[Ticker, ...], Field(min_length=1)]
    training_tokens: Annotated[tuple[Ticker, ...], Field(min_length=1)] = DEFAULT_TRAINING_TOKENS
    symbols: dict[Ticker, VenueNames] = Field(default_factory=dict)
    strategy: StrategySection
    training: TrainingSection = TrainingSection()
    lunarcrush: LunarCrushSection = LunarCrushSection()
    coinbase: CoinbaseSection = CoinbaseSection()
    binance_api: BinanceSection = BinanceSection()
    bitvavo: BitvavoSection = BitvavoSection()
    logging: LoggingSection = LoggingSection()
    heartbeat: HeartbeatSection = HeartbeatSection()
    notify: tuple[NotifyUrl, ...] = ()
    weekly_report: WeeklyReport = "monday"
    telegram: TelegramSection = TelegramSection()

    @property
    def message_urls(self) -> tuple[str, ...]:
        """Where messages go: the addresses of notify, and the owner's chat at Telegram, once.

        An address with the bot's token alone would have Apprise ask for the chat, and that stops the bot's own asking.
        """
        urls = tuple(url.get_secret_value() for url in self.notify)
        telegram = self.telegram
        if not telegram.is_set or telegram.base_url != TELEGRAM_URL:
            return urls
        chat = f"tgram://{telegram.token.get_secret_value()}/{telegram.chat_id.get_secret_value()}/"
        return (*(url for url in urls if not telegram.is_chat_of(url)), chat)

    @property
    def test_host(self) -> str:
        """The host of the exchange that is traded at, where its money is test money; else nothing."""
        if self.exchange != "binance":
            return ""
        host = urlsplit(self.binance_api.base_url).hostname or ""
        return host if host in EXCHANGE_FACTS[self.exchange].test_hosts else ""

    @property
    def set_mode(self) -> str:
        """The mode as a file of settings says it."""
        return "live" if self.mode == "test" else self.mode

    @property
    def money_notice(self) -> str:
        """What every command, page and message says besides, where the money is test money; else nothing."""
        return LocalizedText("test_money.notice", host=self.test_host) if self.mode == "test" else ""

    @property
    def zone(self) -> ZoneInfo:
        """The owner's time zone."""
        return ZoneInfo(self.timezone)

    @property
    def exit_rules(self) -> ExitRules:
        """The five-minute check, in units that name themselves."""
        return self.strategy.exit_rules

    @property
    def lever_rules(self) -> LeverRules:
        """What holds purchases back, in units that name themselves."""
        return self.strategy.lever_rules

    @property
    def daily_rules(self) -> DailyRules:
        """The daily update, in units that name themselves."""
        strategy = self.strategy
        return DailyRules(
            buy_threshold=strategy.buy_threshold,
            sell_threshold=strategy.sell_threshold,
            big_gain_multiple=strategy.big_gain_exception_pct,
            max_history_divergence=strategy.max_history_divergence,
            bar_source=self.source_name,
        )

    @property
    def source_name(self) -> str:
        """The source of daily bars, as people call it."""
        return SOURCE_FACTS[self.data_source].name

    @property
    def source_requests_per_minute(self) -> int:
        """How often the source of daily bars may be asked."""
        return SOURCE_FACTS[self.data_source].requests_per_minute or self.lunarcrush.requests_per_minute

    def lunarcrush_coin(self, symbol: str) -> str:
        """Return LunarCrush's name of a token."""
        return self._venue_name(symbol, "lunarcrush")

    def coinbase_asset(self, symbol: str) -> str:
        """Return Coinbase's name of a token."""
        return self._venue_name(symbol, "coinbase")

    def binance_asset(self, symbol: str) -> str:
        """Return Binance's name of a token."""
        return self._venue_name(symbol, "binance")

    def bitvavo_market(self, symbol: str) -> str:
        """Return Bitvavo's market of a token, whatever is traded at."""
        facts = EXCHANGE_FACTS["bitvavo"]
        return facts.pair.format(base=self._venue_name(symbol, "bitvavo"), quote=facts.quote_assets[0])

    def exchange_asset(self, symbol: str) -> str:
        """Return the name of a token at the exchange that is traded at."""
        return self._venue_name(symbol, self.exchange)

    def pair(self, symbol: str) -> str:
        """Return the pair that a token is traded in."""
        return self.exchange_facts.pair.format(base=self.exchange_asset(symbol), quote=self.quote_asset)

    @property
    def dollar_asset(self) -> str:
        """What prices in dollars are told in at Binance, whatever is traded at."""
        binance = EXCHANGE_FACTS["binance"].quote_assets
        return self.quote_asset if self.quote_asset in binance else binance[0]

    @property
    def bars_are_in_its_currency(self) -> bool:
        """Whether the source of daily bars tells prices in the currency that the exchange's are in."""
        return self.bars_currency == self.exchange_facts.currency

    @property
    def bars_currency(self) -> str:
        """What the source of daily bars tells prices in."""
        return SOURCE_FACTS[self.data_source].currency

    @property
    def exchange_facts(self) -> ExchangeFacts:
        """What is known of the exchange that is traded at."""
        return EXCHANGE_FACTS[self.exchange]

    def _venue_name(self, symbol: str, venue: str) -> str:
        names = self.symbols.get(symbol)
        return (names and getattr(names, venue)) or symbol

    def file(self, name: str) -> Path:
        """Return the path of a file this mode writes: all but live put their name before the last ending."""
        return file_in_mode(name, self.mode)

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every secret value in use, for the log to blank out."""
        sections = (
            self.lunarcrush.api_key,
            self.binance_api.api_key,
            self.binance_api.api_secret,
            self.bitvavo.api_key,
            self.bitvavo.api_secret,
            self.heartbeat.ping_url,
            *self.notify,
            self.telegram.token,
            self.telegram.chat_id,
        )
        return tuple(value for value in (secret.get_secret_value() for secret in sections) if value)

    def missing_keys(self, *needed: str) -> list[str]:
        """Return a line for each key that the work at hand needs and that is empty."""
        variables = {".".join(path): name for name, path in SECRET_VARIABLES.items()}
        return [
            LocalizedText("fault.key_missing", key=key, mode=self.mode, variable=variables[key])
            for key in self.empty_keys(*needed)
        ]

    def empty_keys(self, *needed: str) -> list[str]:
        """Return those of the keys that are empty."""
        sections: dict[str, SecretStr] = {
            "lunarcrush.api_key": self.lunarcrush.api_key,
            "binance_api.api_key": self.binance_api.api_key,
            "binance_api.api_secret": self.binance_api.api_secret,
            "bitvavo.api_key": self.bitvavo.api_key,
            "bitvavo.api_secret": self.bitvavo.api_secret,
        }
        return [key for key in needed if not sections[key].get_secret_value()]
