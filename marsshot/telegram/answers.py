"""The worker's process: one command of the owner's, carried out or answered, for worker.py. Gone when it has answered.

Reads JSON from its input: config, settings, command, token, is_question. Answers with texts, a picture, is_question.
"""

from __future__ import annotations

import base64
import json
import pickle
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from marsshot.config.loader import read_settings
from marsshot.config.settings import Settings
from marsshot.core.catalog import Catalog, catalog_of
from marsshot.core.errors import InputError, MarsShotError
from marsshot.telegram.actions import Actions
from marsshot.telegram.chat_commands import ChatCommand
from marsshot.telegram.page import Page
from marsshot.telegram.pages import Pages
from marsshot.telegram.phone_text import as_typed_in_chat

MAX_RUN_SECONDS = 240


def main() -> int:
    """Answer what standard input asks. Returns the exit code."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group
    signal.alarm(MAX_RUN_SECONDS)  # whoever waits for this may be gone
    asked: dict[str, Any] = json.load(sys.stdin)
    settings = current_settings(Path(asked["config"]), asked["settings"])
    command = ChatCommand(asked["command"])
    page = answer(settings, command, asked["token"], is_question=asked["is_question"])
    told = {
        "texts": [as_typed_in_chat(text) for text in page.texts],
        "picture": base64.b64encode(page.picture).decode(),
        "is_question": page.is_question,
    }
    json.dump(told, sys.stdout)
    return 0


def current_settings(config: Path, running: str) -> Settings:
    """Return the settings as config.yaml has them now; those of the running bot where it is faulty, or of another mode.

    A faulty file is no reason not to sell.
    """
    of_bot: Settings = pickle.loads(base64.b64decode(running))  # noqa: S301 - from our own parent
    try:
        settings = read_settings(config)
    except InputError:
        return of_bot
    return settings if settings.mode == of_bot.mode else of_bot


def answer(settings: Settings, command: ChatCommand, token: str, *, is_question: bool) -> Page:
    """Return what to tell: what was asked for, what came of it, or what is wrong; first, whether it is test money."""
    catalog = catalog_of(settings.language)
    page = _page(settings, catalog, command, token, is_question=is_question)
    if not settings.money_notice:
        return page
    first, *others = page.texts
    return replace(page, texts=(f"{catalog.render(settings.money_notice)}\n\n{first}", *others))


def _page(settings: Settings, catalog: Catalog, command: ChatCommand, token: str, *, is_question: bool) -> Page:
    try:
        return _work(settings, catalog, command, is_question=is_question)(token)
    except MarsShotError as error:
        return Page((catalog.render(*error.faults),))
    except OSError as error:
        return Page((catalog.text("telegram.machine", why=error.strerror or type(error).__name__),))


def _work(settings: Settings, catalog: Catalog, command: ChatCommand, *, is_question: bool) -> Callable[[str], Page]:
    pages, actions = Pages(settings, catalog), Actions(settings, catalog)
    if is_question:
        return {
            ChatCommand.SELL: pages.sell_question,
            ChatCommand.SELL_ALL: pages.sell_all_question,
            ChatCommand.RESUME: pages.resume_question,
            ChatCommand.INCLUDE: pages.include_question,
        }[command]
    return {
        ChatCommand.STATUS: pages.status,
        ChatCommand.POSITIONS: pages.positions,
        ChatCommand.PROFIT: pages.profit,
        ChatCommand.CHART: pages.chart,
        ChatCommand.DECISIONS: pages.decisions,
        ChatCommand.PAUSE: actions.pause,
        ChatCommand.RESUME: actions.resume,
        ChatCommand.SELL: actions.sell,
        ChatCommand.SELL_ALL: actions.sell_all,
        ChatCommand.EXCLUDE: actions.exclude,
        ChatCommand.INCLUDE: actions.include,
    }[command]


if __name__ == "__main__":
    sys.exit(main())
