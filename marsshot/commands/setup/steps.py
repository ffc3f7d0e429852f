"""The questions of `main.py setup`, as data: when one is asked, what is there now, what an answer changes. Pure.

A question's words stand in the catalogue under setup.ask, by its name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import get_args

from marsshot.bot.environment import DEMO_TOKENS
from marsshot.commands.setup.config_text import quoted_text, token_list
from marsshot.commands.setup.draft import Answer
from marsshot.config.bot_files import SettableMode
from marsshot.config.data_sources import DataSource
from marsshot.config.exchanges import EXCHANGE_FACTS, ExchangeName
from marsshot.config.secret_values import plain_secret
from marsshot.config.settings import Settings
from marsshot.core.catalog import LANGUAGES, LocalizedText

_BLANKS = re.compile(r"[\s\u202f\u00a0']+")  # between the thousands


class Look(Enum):
    """What the world is asked for a question: before it, or once it is answered."""

    ACCOUNT = "account"  # what the key may do, and what is free
    TOKENS = "tokens"  # which are traded most, at a price that the venues agree on
    FREE = "free"  # nothing more: what the account had free when its key was asked
    CHAT = "chat"  # who has written to the bot at Telegram


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One question. parse: what was typed to what changes; raises ValueError that says what is needed.

    hidden: the names of what is typed unseen, in place of one line that is shown. choices: the answers, where they are
    few; a number stands for one as well. shown: the present value. settled: the answer with what else it brings, beside
    what is set now.
    """

    name: str
    parse: Callable[[Sequence[str]], Answer]
    shown: Callable[[Settings], object] = lambda settings: ""
    applies: Callable[[Settings], bool] = lambda settings: True
    choices: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    look: Look | None = None
    settled: Callable[[Settings, Answer], Answer] = lambda _settings, answer: answer


def _choice(key: str, choices: tuple[str, ...]) -> Callable[[Sequence[str]], Answer]:
    """Return what reads one of these, or its number."""

    def parse(typed: Sequence[str]) -> Answer:
        word = typed[0].strip().casefold()
        if word.isdecimal() and 0 < int(word) <= len(choices):
            return Answer({key: choices[int(word) - 1]})
        found = [one for one in choices if one.casefold() == word]
        if not found:
            raise ValueError(LocalizedText("setup.needed.choice", choices=choices))
        return Answer({key: found[0]})

    return parse


def _with_its_currency(settings: Settings, answer: Answer) -> Answer:
    """Return the answer to which exchange, with that one's usual currency where it is another exchange than now."""
    chosen = answer.settings["exchange"]
    quote = next(facts.quote_assets[0] for name, facts in EXCHANGE_FACTS.items() if name == chosen)
    return answer if chosen == settings.exchange else Answer({**answer.settings, "quote_asset": quote})


def _timezone(typed: Sequence[str]) -> Answer:
    return Answer({"timezone": quoted_text(typed[0].strip())})


def _tokens(typed: Sequence[str]) -> Answer:
    tokens = [one for one in re.split(r"[\s,;]+", typed[0].upper()) if one]
    wrong = [one for one in tokens if not re.fullmatch(r"[A-Z0-9]{1,20}", one)]
    if not tokens or wrong:
        raise ValueError(LocalizedText("setup.needed.tokens"))
    return Answer({"tokens_daily": token_list(list(dict.fromkeys(tokens)))})


def _capital(typed: Sequence[str]) -> Answer:
    return Answer({"strategy.capital_initial": f"{amount_of(typed[0]):f}"})


def amount_of(text: str) -> Decimal:
    """Return an amount as people type it: 1 000,50 or 1,000.50. Raises ValueError."""
    digits = _BLANKS.sub("", text)
    if "," in digits and "." in digits:
        last = max(digits.rindex(","), digits.rindex("."))
        digits = re.sub(r"[.,]", "", digits[:last]) + "." + digits[last + 1 :]
    elif re.fullmatch(r"\d{1,3}(,\d{3})+", digits):  # 1,000 may be a thousand, or one
        raise ValueError(LocalizedText("setup.needed.amount"))
    try:
        amount = Decimal(digits.replace(",", "."))
    except InvalidOperation:
        raise ValueError(LocalizedText("setup.needed.amount")) from None
    if not amount.is_finite() or amount <= 0:
        raise ValueError(LocalizedText("setup.needed.amount"))
    return amount


def _secrets(*variables: str) -> Callable[[Sequence[str]], Answer]:
    """Return what reads so many secrets, in this order."""

    def parse(typed: Sequence[str]) -> Answer:
        values = [plain_secret(one) for one in typed]
        if not all(values) or any("'" in one for one in values):
            raise ValueError(LocalizedText("setup.needed.secret"))
        return Answer(secrets=dict(zip(variables, values, strict=True)))

    return parse


def has_demo_tokens(settings: Settings) -> bool:
    """Return whether the tokens are still those of the recorded market, some of which are other coins today."""
    return set(settings.tokens_daily) <= set(DEMO_TOKENS)


def _is_live(settings: Settings) -> bool:
    return settings.mode in {"live", "test"}


def _is_real(settings: Settings) -> bool:
    return settings.mode != "demo"


def _keys_step(name: str, exchange: ExchangeName, *variables: str) -> Step:
    """Return the question for the keys of an exchange."""
    return Step(
        name=name,
        parse=_secrets(*variables),
        shown=lambda settings: LocalizedText(
            "setup.missing" if settings.empty_keys(*EXCHANGE_FACTS[exchange].keys) else "setup.there"
        ),
        applies=lambda settings: _is_live(settings) and settings.exchange == exchange,
        hidden=("key", "secret"),
        look=Look.ACCOUNT,
    )


STEPS = (
    Step(
        name="language",
        parse=_choice("language", LANGUAGES),
        shown=lambda settings: settings.language,
        choices=LANGUAGES,
    ),
    Step(
        name="mode",
        parse=_choice("mode", get_args(SettableMode)),
        shown=lambda settings: settings.set_mode,
        choices=get_args(SettableMode),
    ),
    Step(
        name="exchange",
        parse=_choice("exchange", get_args(ExchangeName)),
        shown=lambda settings: settings.exchange,
        applies=_is_real,
        choices=get_args(ExchangeName),
        settled=_with_its_currency,
    ),
    Step(
        name="quote",
        parse=_choice("quote_asset", EXCHANGE_FACTS["binance"].quote_assets),
        shown=lambda settings: settings.quote_asset,
        applies=lambda settings: _is_real(settings) and settings.exchange == "binance",
        choices=EXCHANGE_FACTS["binance"].quote_assets,
    ),
    _keys_step("keys", "binance", "BINANCE_API_KEY", "BINANCE_API_SECRET"),
    _keys_step("bitvavo_keys", "bitvavo", "BITVAVO_API_KEY", "BITVAVO_API_SECRET"),
    Step(
        name="source",
        parse=_choice("data_source", get_args(DataSource)),
        shown=lambda settings: settings.data_source,
        applies=_is_real,
        choices=get_args(DataSource),
    ),
    Step(
        name="lunarcrush",
        parse=_secrets("LUNARCRUSH_API_KEY"),
        shown=lambda settings: LocalizedText(
            "setup.missing" if settings.empty_keys("lunarcrush.api_key") else "setup.there"
        ),
        applies=lambda settings: _is_real(settings) and settings.data_source == "lunarcrush",
        hidden=("lunarcrush",),
    ),
    Step(
        name="tokens",
        parse=_tokens,
        shown=lambda settings: ", ".join(settings.tokens_daily),
        applies=_is_real,
        look=Look.TOKENS,
    ),
    Step(
        name="capital",
        parse=_capital,
        shown=lambda settings: settings.strategy.capital_initial.normalize(),
        look=Look.FREE,
    ),
    Step(
        name="telegram",
        parse=_secrets("TELEGRAM_TOKEN"),
        shown=lambda settings: LocalizedText("setup.there" if settings.telegram.is_set else "setup.missing"),
        hidden=("token",),
        look=Look.CHAT,
    ),
    Step(
        name="timezone",
        parse=_timezone,
        shown=lambda settings: settings.timezone,
    ),
)
