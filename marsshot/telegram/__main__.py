"""The companion's process: reads its order from the bot's pipe, listens at Telegram, and ends when the bot does.

What happens goes to the bot as one line of JSON each, on its output; the token goes nowhere.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
from functools import partial
from pathlib import Path

from marsshot.core.catalog import catalog_of
from marsshot.monitoring.telegram_api import TelegramApi
from marsshot.monitoring.telegram_order import WRONG_ORDER, CompanionEvent, CompanionOrder, read_order
from marsshot.telegram.chat import OwnerChat
from marsshot.telegram.companion import Companion, show_commands
from marsshot.telegram.in_hand import InHand
from marsshot.telegram.polling import REQUEST_SECONDS, Polling, WrongTokenError
from marsshot.telegram.worker import work


def main() -> int:
    """Listen until the bot ends. Returns the exit code."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the bot decides
    logging.disable()  # a library's line may hold an address, and the token is in it
    order = read_order(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    try:
        listen(order)
    except WrongTokenError:
        report(CompanionEvent.WRONG_TOKEN)
    return WRONG_ORDER


def listen(order: CompanionOrder) -> None:
    """Listen for ever. Raises WrongTokenError."""
    catalog = catalog_of(order.language)
    api = TelegramApi(order.base_url, order.token)
    polling = Polling(TelegramApi(order.base_url, order.token, REQUEST_SECONDS), order.owner, report)
    chat = OwnerChat(api, order.owner, report)
    companion = Companion(polling, chat, partial(work, order), InHand(Path(order.in_hand)), catalog)
    is_listed = False
    report(CompanionEvent.LISTENING)
    while True:
        is_listed = is_listed or show_commands(api, order.owner, catalog)
        companion.cycle()


def report(event: CompanionEvent) -> None:
    """Tell the bot."""
    sys.stdout.write(f"{json.dumps({'event': event.value})}\n")
    sys.stdout.flush()


def _end_with_parent() -> None:
    """End at once when the bot is gone: what is in hand stands in a file, and nothing here needs to be put away."""
    while os.read(sys.stdin.fileno(), 1):  # not sys.stdin's own: that would hold up the end of this process
        pass
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
