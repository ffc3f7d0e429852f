"""`telegram:` of config.yaml: what may stand there, that it is never shown, and where messages then go."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from marsshot.config.loader import check_settings
from marsshot.config.public_copy import public_text
from marsshot.core.errors import InputError
from tests.helpers.builders import seed_content, some_settings

TOKEN = "123456789:AAHsecretsecretsecretsecretsecretsec"
CHAT = "71000001"
OWN_CHAT = f"tgram://{TOKEN}/{CHAT}/"


def with_telegram(**keys: Any) -> Any:
    return some_settings(telegram={"token": TOKEN, "chat_id": CHAT} | keys)


@pytest.mark.parametrize("chat", [71_000_001, "71000001", " 71000001\n"])
def test_a_chat_is_a_number_with_or_without_quotes(chat: object) -> None:
    assert with_telegram(chat_id=chat).telegram.chat_id.get_secret_value() == CHAT


@pytest.mark.parametrize(
    "keys",
    [
        {"chat_id": -1001234567890},
        {"chat_id": "@jean"},
        {"chat_id": True},
        {"chat_id": 0},
        {"chat_id": "71000001 "[:8] + "\u200b"},
        {"token": "123456780"},
        {"token": TOKEN + "/../x"},
        {"token": 123456780},
        {"token": "bot" + TOKEN},
    ],
)
def test_what_cannot_be_is_refused_and_not_shown(keys: dict[str, Any]) -> None:
    with pytest.raises(InputError) as refused:
        with_telegram(**keys)
    (line,) = refused.value.faults
    (key, value) = next(iter(keys.items()))
    assert line.startswith(f"config.yaml: telegram.{key}: the value (not shown) is not allowed; ")
    assert str(value) not in line


def test_an_empty_chat_is_nobody() -> None:
    assert with_telegram().telegram.is_set
    assert not with_telegram(chat_id="").telegram.is_set
    assert not with_telegram(token="").telegram.is_set
    assert not some_settings().telegram.is_set


def test_the_environment_wins() -> None:
    other = "987654321:BBHothersecretothersecretothersecret"
    content = seed_content() | {"telegram": {"token": TOKEN, "chat_id": CHAT}}
    environment = {"TELEGRAM_TOKEN": other, "TELEGRAM_CHAT_ID": "82000002"}
    settings = check_settings(content, Path("config.yaml"), environment)
    assert settings.telegram.token.get_secret_value() == other
    assert settings.telegram.chat_id.get_secret_value() == "82000002"
    alone = check_settings(seed_content(), Path("config.yaml"), environment)
    assert alone.telegram.is_set


def test_both_are_secrets() -> None:
    settings = with_telegram()
    assert {TOKEN, CHAT} <= set(settings.secrets)
    shown = public_text(settings) + repr(settings)
    assert TOKEN not in shown
    assert CHAT not in shown


@pytest.mark.parametrize(
    ("notify", "urls"),
    [
        ([], [OWN_CHAT]),
        (["json://one"], ["json://one", OWN_CHAT]),
        ([f"tgram://{TOKEN}/{CHAT}"], [OWN_CHAT]),
        ([f"tgram://{TOKEN}"], [OWN_CHAT]),
        ([f"tgram://{TOKEN}/?image=no"], [OWN_CHAT]),
        ([f"tgram://{TOKEN}/-100200"], [f"tgram://{TOKEN}/-100200", OWN_CHAT]),
    ],
)
def test_messages_go_to_the_chat_too_once_and_never_without_saying_which(notify: list[str], urls: list[str]) -> None:
    settings = some_settings(notify=notify, telegram={"token": TOKEN, "chat_id": CHAT})
    assert list(settings.message_urls) == urls


def test_without_a_chat_messages_go_where_notify_says() -> None:
    assert some_settings(notify=["json://one"]).message_urls == ("json://one",)
    assert some_settings(notify=["json://one"], telegram={"token": TOKEN}).message_urls == ("json://one",)
    stand_in = {"token": TOKEN, "chat_id": CHAT, "base_url": "http://127.0.0.1:1"}
    assert some_settings(telegram=stand_in).message_urls == ()
