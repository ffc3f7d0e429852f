"""The settings: config.yaml as a whole, checked and frozen, and what follows from it. Its sections are sections.py's.

loader.py reads the file. Never fetches, never trades.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationInfo

from marsshot.config.bot_files import Mode, file_in_mode
from marsshot.config.data_sources import SOURCE_FACTS, DataSource
from marsshot.config.exchanges import DEFAULT_EXCHANGE, EXCHANGE_FACTS, ExchangeFacts, ExchangeName
from marsshot.config.secret_values import SECRET_VARIABLES, NotifyUrl
from marsshot.config.sections import (
    TELEGRAM_URL,
    BinanceSection,
    BitvavoSection,
    CoinbaseSection,
    HeartbeatSection,
    LoggingSection,
    LunarCrushSection,
    StrategySection,
    TelegramSection,
    Ticker,
    VenueNames,
)
from marsshot.config.training_settings import TrainingSection
from marsshot.config.training_tokens import DEFAULT_TRAINING_TOKENS
from marsshot.core.catalog import Language, LocalizedText
from marsshot.core.decisions import DailyRules
from marsshot.core.exit_settings import ExitRules
from marsshot.core.lever_settings import LeverRules
from marsshot.core.setting_types import Section

WeeklyReport = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "never"]


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


def _typed_mode(value: object) -> object:
    """Refuse what no file says: the mode of test money follows from the exchange's host."""
    if value == "test":
        raise ValueError
    return value


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
