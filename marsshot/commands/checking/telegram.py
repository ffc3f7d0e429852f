"""The part of `main.py check` that asks Telegram: whether the token works, and whose chat it is.

Sends no message, confirms none, and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from marsshot.commands.checking.findings import Finding, Level
from marsshot.config.settings import Settings
from marsshot.core.catalog import Catalog
from marsshot.core.errors import MarsShotError
from marsshot.monitoring.telegram_api import (
    CONFLICT,
    WRONG_TOKEN,
    TelegramApi,
    TelegramRefusedError,
    displayed_name,
    latest_private_chat,
)

SUBJECT = "Telegram"


def telegram_findings(settings: Settings, catalog: Catalog) -> Iterator[Finding]:
    """Yield what is found; nothing where nobody has asked for Telegram."""
    token, chat = settings.telegram.token.get_secret_value(), settings.telegram.chat_id.get_secret_value()
    if not token:
        if chat:
            yield Finding(Level.BAD, SUBJECT, catalog.text("check.telegram.no_token"))
        return
    api = TelegramApi(settings.telegram.base_url, token)
    try:
        name = str(api.call("getMe")["username"])
        yield Finding(Level.GOOD, SUBJECT, catalog.text("check.telegram.token", name=name))
        yield _chat(api, chat, name, catalog) if chat else _nobody(api, name, catalog)
    except TelegramRefusedError as error:
        is_token = error.code in WRONG_TOKEN
        remedy = catalog.text("check.telegram.token_remedy") if is_token else ""
        yield Finding(Level.BAD, SUBJECT, catalog.render(*error.faults), remedy)
    except MarsShotError as error:
        yield Finding(Level.NOTE, SUBJECT, catalog.render(*error.faults))
    finally:
        api.close()


def _chat(api: TelegramApi, chat: str, name: str, catalog: Catalog) -> Finding:
    """Return whose chat the number is. Raises TelegramSilentError, TelegramRefusedError."""
    try:
        found = api.call("getChat", {"chat_id": int(chat)})
    except TelegramRefusedError as error:
        if error.code in WRONG_TOKEN or error.retry_after_seconds:
            raise
        text, remedy = catalog.text("check.telegram.no_chat"), catalog.text("check.telegram.no_chat_remedy", name=name)
        return Finding(Level.BAD, SUBJECT, text, remedy)
    return Finding(Level.GOOD, SUBJECT, catalog.text("check.telegram.chat", person=displayed_name(found)))


def _nobody(api: TelegramApi, name: str, catalog: Catalog) -> Finding:
    """Return who has written to the bot, for the owner to put his number in. Raises TelegramSilentError, ...Refused."""
    text = catalog.text("check.telegram.nobody")
    try:
        found = latest_private_chat(api)
    except TelegramRefusedError as error:
        if error.code != CONFLICT:
            raise
        return Finding(Level.NOTE, SUBJECT, text, catalog.text("check.telegram.other_reader"))
    if found is None:
        return Finding(Level.NOTE, SUBJECT, text, catalog.text("check.telegram.write_first", name=name))
    number, person = found
    return Finding(Level.NOTE, SUBJECT, text, catalog.text("check.telegram.found", number=str(number), person=person))
