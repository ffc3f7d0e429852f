"""`main.py notify-test`: a test message to every address in notify and to Telegram, and which of them took it."""

from __future__ import annotations

from urllib.parse import urlsplit

from marsshot.config.bot_files import EQUITY
from marsshot.config.secret_values import NOTIFY_VARIABLE
from marsshot.config.settings import Settings
from marsshot.core.catalog import Catalog, LocalizedText
from marsshot.core.errors import InputError
from marsshot.monitoring.messages import Message
from marsshot.monitoring.messenger import message_to_send, send


def run_notify_test(settings: Settings) -> int:
    """Send and say what came of it. Returns 0 if every service took the message, else 1. Raises InputError."""
    if not settings.message_urls:
        raise InputError(LocalizedText("fault.notify_empty", variable=NOTIFY_VARIABLE))
    catalog = Catalog(settings.language)
    message = Message(title=catalog.text("message.test_title"), body=catalog.text("message.test"), with_chart=True)
    failed = 0
    for number, address in enumerate(settings.message_urls, start=1):
        (taken,) = send([address], message_to_send(message, settings), settings.file(EQUITY))
        failed += not taken
        facts = {"number": number, "scheme": urlsplit(address).scheme}
        print(catalog.text("notify_test.taken" if taken else "notify_test.not_taken", **facts))  # noqa: T201
    return 1 if failed else 0
