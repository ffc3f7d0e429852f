"""Has a short-lived child do what the owner asks for: what reads the book, or draws, is gone from memory afterwards."""

from __future__ import annotations

import base64
import subprocess

from marsshot.infra.child_processes import ask_child, module_command, module_environment
from marsshot.monitoring.telegram_order import CompanionOrder
from marsshot.telegram.chat_commands import Typed
from marsshot.telegram.page import Page

WORKER = module_command("marsshot.telegram.answers", "-W", "ignore")
WORK_SECONDS = 200.0  # a sale of everything is waited for two minutes; then the child is killed


def work(order: CompanionOrder, typed: Typed, *, is_question: bool) -> Page | None:
    """Return the answer; None where the child died or hung: then it is not known what was done. Never raises."""
    asked = {
        "config": order.config,
        "settings": order.settings,
        "command": typed.command.value,
        "token": typed.token,
        "is_question": is_question,
    }
    try:
        told = ask_child(WORKER, asked, module_environment(), WORK_SECONDS)
        picture = base64.b64decode(told["picture"])
        return Page(tuple(map(str, told["texts"])), picture, bool(told["is_question"]))
    except (OSError, subprocess.SubprocessError, ValueError, TypeError, LookupError):
        return None
