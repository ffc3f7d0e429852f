"""The stand-in for Telegram behaves as Telegram does where the bot depends on it."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from embedded_market.telegram.bot_api import ANSWER_SECONDS, TelegramStandIn
from embedded_market.telegram.checks import MAX_BUTTON_BYTES, MAX_CAPTION, MAX_TEXT, RefusedError
from embedded_market.telegram.updates import CALLBACK_SECONDS, MESSAGE_SECONDS

PNG = b"\x89PNG\r\n\x1a\n and so on"


class Wire:
    """A stand-in with a clock of the test's own."""

    def __init__(self) -> None:
        self.time = 1_800_000_000.0
        self.telegram = TelegramStandIn(now=lambda: self.time)

    def call(self, method: str, **fields: Any) -> Any:
        return self.telegram.call(self.telegram.token, method, fields)

    def refusal(self, method: str, **fields: Any) -> int:
        with pytest.raises(RefusedError) as refused:
            self.call(method, **fields)
        return refused.value.code

    def to_owner(self, **fields: Any) -> int:
        return int(self.call("sendMessage", chat_id=self.telegram.owner, **fields)["message_id"])


@pytest.fixture
def wire() -> Wire:
    return Wire()


def test_an_update_is_delivered_until_a_higher_offset_confirms_it(wire: Wire) -> None:
    first, second = wire.telegram.write("/status"), wire.telegram.write("/profit")
    assert [one["update_id"] for one in wire.call("getUpdates")] == [first, second]
    assert [one["update_id"] for one in wire.call("getUpdates", offset=first)] == [first, second]
    assert [one["update_id"] for one in wire.call("getUpdates", offset=first + 1)] == [second]
    assert [one["update_id"] for one in wire.call("getUpdates")] == [second], "what is confirmed is gone for good"


def test_a_negative_offset_keeps_the_newest(wire: Wire) -> None:
    numbers = [wire.telegram.write(str(n)) for n in range(3)]
    assert [one["update_id"] for one in wire.call("getUpdates", offset=-1)] == numbers[-1:]


@pytest.mark.parametrize(("kind", "seconds"), [("message", MESSAGE_SECONDS), ("callback_query", CALLBACK_SECONDS)])
def test_what_nobody_reads_is_forgotten(wire: Wire, kind: str, seconds: float) -> None:
    wire.telegram.put(kind, {})
    wire.time += seconds - 1
    assert len(wire.call("getUpdates")) == 1
    wire.time += 1
    assert wire.call("getUpdates") == []


def test_kinds_that_are_not_asked_for_are_not_delivered_and_that_is_remembered(wire: Wire) -> None:
    wire.telegram.put("edited_message", {"text": "/sellall"})
    number = wire.telegram.write("/status")
    assert [one["update_id"] for one in wire.call("getUpdates", allowed_updates=["message"])] == [number]
    wire.telegram.put("edited_message", {"text": "/sellall"})
    assert [one["update_id"] for one in wire.call("getUpdates")] == [number]


def test_a_poll_waits_until_somebody_writes(wire: Wire) -> None:
    threading.Timer(0.1, wire.telegram.write, args=("/status",)).start()
    begun = time.monotonic()
    assert len(wire.call("getUpdates", timeout=10)) == 1
    assert time.monotonic() - begun < 5


def test_the_older_of_two_polls_ends_with_409(wire: Wire) -> None:
    codes: list[int] = []
    older = threading.Thread(target=lambda: codes.append(wire.refusal("getUpdates", timeout=10)))
    older.start()
    while not wire.telegram.calls["getUpdates"]:
        time.sleep(0.01)
    assert wire.call("getUpdates", timeout=0) == []
    older.join(5)
    assert codes == [409]


def test_with_a_webhook_every_poll_ends_with_409_until_it_is_deleted(wire: Wire) -> None:
    wire.call("setWebhook", url="https://example.com/hook")
    assert wire.refusal("getUpdates") == 409
    assert wire.call("getWebhookInfo")["url"] == "https://example.com/hook"
    number = wire.telegram.write("/status")
    wire.call("deleteWebhook")
    assert [one["update_id"] for one in wire.call("getUpdates")] == [number]


def test_texts_captions_and_buttons_have_their_limits(wire: Wire) -> None:
    owner = wire.telegram.owner
    wire.to_owner(text="x" * MAX_TEXT)
    assert wire.refusal("sendMessage", chat_id=owner, text="x" * (MAX_TEXT + 1)) == 400
    assert wire.refusal("sendMessage", chat_id=owner, text="\N{ROCKET}" * (MAX_TEXT // 2 + 1)) == 400
    assert wire.refusal("sendMessage", chat_id=owner, text=" ") == 400
    wire.call("sendPhoto", chat_id=owner, photo=PNG, caption="x" * MAX_CAPTION)
    assert wire.refusal("sendPhoto", chat_id=owner, photo=PNG, caption="x" * (MAX_CAPTION + 1)) == 400
    assert wire.refusal("sendPhoto", chat_id=owner, photo=b"no picture") == 400

    def keyboard(size: int) -> dict[str, Any]:
        return {"inline_keyboard": [[{"text": "Yes", "callback_data": "x" * size}]]}

    wire.to_owner(text="?", reply_markup=keyboard(MAX_BUTTON_BYTES))
    assert wire.refusal("sendMessage", chat_id=owner, text="?", reply_markup=keyboard(MAX_BUTTON_BYTES + 1)) == 400


def test_an_edit_that_changes_nothing_is_refused(wire: Wire) -> None:
    number, owner = wire.to_owner(text="Sure?"), wire.telegram.owner
    wire.call("editMessageText", chat_id=owner, message_id=number, text="Done")
    assert wire.refusal("editMessageText", chat_id=owner, message_id=number, text="Done") == 400
    assert wire.telegram.sent[-1].edits == ["Sure?"]


def test_a_tap_is_answered_in_time_or_not_at_all(wire: Wire) -> None:
    wire.to_owner(text="?", reply_markup={"inline_keyboard": [[{"text": "Yes", "callback_data": "y"}]]})
    message = wire.telegram.sent[-1]
    tap = wire.telegram.tap(message, message.data_of("Yes"))
    assert wire.call("answerCallbackQuery", callback_query_id=tap)
    late = wire.telegram.tap(message, "y")
    wire.time += ANSWER_SECONDS + 1
    assert wire.refusal("answerCallbackQuery", callback_query_id=late) == 400
    assert wire.refusal("answerCallbackQuery", callback_query_id="forged") == 400


@pytest.mark.parametrize(("name", "description"), [("SellAll", "x"), ("sell all", "x"), ("x" * 33, "x"), ("sell", "")])
def test_odd_commands_are_refused(wire: Wire, name: str, description: str) -> None:
    scope = {"type": "chat", "chat_id": wire.telegram.owner}
    assert wire.refusal("setMyCommands", scope=scope, commands=[{"command": name, "description": description}]) == 400
    wire.call("setMyCommands", scope=scope, commands=[{"command": "sellall", "description": "x"}])
    assert [one["command"] for one in wire.telegram.commands[wire.telegram.owner]] == ["sellall"]


def test_who_has_blocked_the_bot_or_never_started_it_is_not_written_to(wire: Wire) -> None:
    assert wire.refusal("sendMessage", chat_id=5_000_000, text="x") == 400
    wire.telegram.blocked.add(wire.telegram.owner)
    assert wire.refusal("sendMessage", chat_id=wire.telegram.owner, text="x") == 403


def test_a_wrong_token_and_scripted_refusals(wire: Wire) -> None:
    with pytest.raises(RefusedError) as refused:
        wire.telegram.call("1:wrong", "getMe", {})
    assert refused.value.code == 401
    wire.telegram.refuse("getMe", 429, "Too Many Requests: retry after 3", retry_after=3)
    assert wire.refusal("getMe") == 429
    assert wire.call("getMe")["is_bot"]
