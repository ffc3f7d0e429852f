"""`main.py check` on Telegram: whether the token works, whose chat it is, and how the owner finds his number."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from embedded_market.telegram.bot_api import TelegramStandIn
from embedded_market.telegram.server import TelegramServer
from marsshot.commands.checking.findings import Finding, Level
from marsshot.commands.checking.telegram import telegram_findings
from marsshot.core.catalog import Catalog, Language
from tests.helpers.builders import some_settings
from tests.helpers.french_text import plain

GOOD, NOTE, BAD = Level.GOOD, Level.NOTE, Level.BAD


@pytest.fixture
def server() -> Iterator[TelegramServer]:
    with TelegramServer(TelegramStandIn()) as server:
        yield server


def findings(
    server: TelegramServer, *, token: str | None = None, chat: object = None, language: Language = "en"
) -> list[Finding]:
    bot = server.stand_in
    section = {
        "token": bot.token if token is None else token,
        "chat_id": bot.owner if chat is None else chat,
        "base_url": server.url,
    }
    return list(telegram_findings(some_settings(telegram=section), Catalog(language)))


def levels(found: list[Finding]) -> list[Level]:
    return [one.level for one in found]


def test_nothing_is_said_where_nobody_has_asked_for_telegram() -> None:
    assert list(telegram_findings(some_settings(), Catalog("en"))) == []


def test_a_token_that_works_and_the_owners_chat(server: TelegramServer) -> None:
    server.stand_in.write("/status")
    good, chat = findings(server)
    assert levels([good, chat]) == [GOOD, GOOD]
    assert good.text == "the token is good, the bot is called @marsshot_bot"
    assert chat.text == "messages go to Jean, and commands come from there alone"
    assert server.stand_in.sent == []
    assert len(server.stand_in.updates) == 1


def test_a_token_that_is_refused_is_to_be_mended(server: TelegramServer) -> None:
    (refused,) = findings(server, token="123456789:AAHwrongwrongwrongwrongwrongwrong")
    assert refused.level is BAD
    assert "BotFather" in refused.remedy
    assert "AAHwrong" not in refused.text + refused.remedy


def test_a_number_without_a_token_is_to_be_mended(server: TelegramServer) -> None:
    assert levels(findings(server, token="")) == [BAD]


def test_a_chat_that_the_bot_may_not_write_to_is_to_be_mended(server: TelegramServer) -> None:
    _, chat = findings(server, chat=82_000_002)
    assert chat.level is BAD
    assert "/start to @marsshot_bot" in chat.remedy


@pytest.mark.parametrize(
    ("language", "remedy"),
    [
        ("en", "Jean was the last to write to it; if that is you, put in chat_id: 82000002"),
        ("fr", "Jean lui a écrit en dernier ; si c'est vous, mettez chat_id: 82000002"),
    ],
)
def test_without_a_number_it_tells_who_has_written(server: TelegramServer, language: Language, remedy: str) -> None:
    server.stand_in.write("hello", sender=82_000_002)
    _, nobody = findings(server, chat="", language=language)
    assert (nobody.level, plain(nobody.remedy)) == (NOTE, remedy)
    assert len(server.stand_in.updates) == 1, "what was written is still there for the bot"


def test_without_a_number_and_without_a_word_it_tells_to_write_one(server: TelegramServer) -> None:
    _, nobody = findings(server, chat="")
    assert nobody.level is NOTE
    assert nobody.remedy.startswith("write a word to @marsshot_bot")


def test_another_reader_of_the_same_bot_is_told(server: TelegramServer) -> None:
    server.stand_in.webhook = "https://example.com/hook"
    _, nobody = findings(server, chat="")
    assert (nobody.level, nobody.remedy[:15]) == (NOTE, "another program")


def test_telegram_that_does_not_answer_is_no_fault_of_the_owners(server: TelegramServer) -> None:
    server.stand_in.refuse("getMe", 502, "Bad Gateway")
    assert levels(findings(server)) == [NOTE]
