"""What the companion does with what comes: nothing twice, nothing late, nothing unasked, and nothing for a stranger."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from marsshot.core.catalog import Catalog
from marsshot.monitoring.telegram_api import TelegramApi
from marsshot.monitoring.telegram_order import CompanionEvent
from marsshot.telegram.chat_commands import ChatCommand, Typed
from marsshot.telegram.companion import STALE_SECONDS, STRANGER_SECONDS, show_commands
from marsshot.telegram.confirmations import CONFIRM_SECONDS
from marsshot.telegram.page import Page
from marsshot.telegram.polling import WrongTokenError
from tests.helpers.companion_harness import NOW, QUESTION, CompanionHarness, open_companion_harness

EVE = 82_000_002
PNG = b"\x89PNG\r\n\x1a\n..."


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[CompanionHarness]:
    with open_companion_harness(tmp_path) as harness:
        yield harness


# --------------------------------------------------------------------------- looking


def test_a_look_is_answered(harness: CompanionHarness) -> None:
    harness.say("/status")
    assert harness.told == ["/status answered"]
    assert harness.companion._in_hand.held == {}


def test_a_picture_comes_with_its_words_under_it(harness: CompanionHarness) -> None:
    harness.answers[ChatCommand.PROFIT, False] = Page(("Worth 1,000",), PNG)
    harness.say("/profit")
    assert [(one.text, one.picture) for one in harness.telegram.sent] == [("Worth 1,000", PNG)]


def test_help_lists_every_command_and_so_does_the_chat_of_the_owner_alone(harness: CompanionHarness) -> None:
    harness.say("/help")
    for one in ChatCommand:
        assert f"/{one.value}: " in harness.told[0]
    assert show_commands(TelegramApi(harness.server.url, harness.telegram.token), harness.telegram.owner, Catalog("fr"))
    assert set(harness.telegram.commands) == {harness.telegram.owner}
    listed = {one["command"]: one["description"] for one in harness.telegram.commands[harness.telegram.owner]}
    assert set(listed) == {one.value for one in ChatCommand}
    assert listed["sellall"].startswith("tout vendre")


def test_a_word_that_is_no_command_does_nothing_and_is_told(harness: CompanionHarness) -> None:
    harness.say("sell everything, please")
    assert harness.done == []
    assert "/help" in harness.told[0]


def test_a_worker_that_dies_is_told(harness: CompanionHarness) -> None:
    harness.answers[ChatCommand.STATUS, False] = None
    harness.say("/status")
    assert harness.told == ["/status: that could not be read just now. Try again"]


# --------------------------------------------------------------------------- selling


def test_selling_takes_a_second_tap(harness: CompanionHarness) -> None:
    harness.say("/sellall")
    assert harness.acted == []
    assert harness.question.text == "\n".join(QUESTION.texts)
    harness.tap("Yes")
    assert harness.acted == ["/sellall"]
    assert harness.told[-1] == "Sold everything"
    assert harness.question.buttons == []
    assert len(harness.telegram.answers) == 1


def test_one_position_is_sold_by_a_second_tap_and_needs_its_name(harness: CompanionHarness) -> None:
    harness.answers[ChatCommand.SELL, True] = Page(("SOL: 2", "Sell SOL?"), is_question=True)
    harness.say("/sell")
    assert harness.done == []
    assert harness.told == ["Of which token? For example: /sell SOL"]
    harness.say("/sell sol")
    assert harness.acted == []
    harness.tap("Yes")
    assert harness.acted == ["/sell SOL"]


def test_no_means_no(harness: CompanionHarness) -> None:
    harness.say("/sellall")
    question = harness.question
    yes = question.data_of("Yes")
    harness.tap("No")
    harness.tap("", data=yes)
    assert harness.acted == []
    assert question.text.endswith("Nothing was done")


def test_two_taps_sell_once(harness: CompanionHarness) -> None:
    harness.say("/sellall")
    question, yes = harness.question, harness.question.data_of("Yes")
    harness.telegram.tap(question, yes)
    harness.telegram.tap(question, yes)
    harness.cycle()
    harness.cycle()
    assert harness.acted == ["/sellall"]


@pytest.mark.parametrize(("seconds", "acted"), [(CONFIRM_SECONDS - 1, ["/sellall"]), (CONFIRM_SECONDS, [])])
def test_the_tap_has_a_minute(harness: CompanionHarness, seconds: float, acted: list[str]) -> None:
    harness.say("/sellall")
    yes = harness.question.data_of("Yes")
    harness.time += seconds
    harness.tap("", data=yes)
    assert harness.acted == acted


def test_a_question_that_nobody_answers_says_that_it_is_over(harness: CompanionHarness) -> None:
    harness.say("/sellall")
    harness.time += CONFIRM_SECONDS
    harness.cycle()
    assert harness.question.buttons == []
    assert "Nothing was done" in harness.question.text
    assert harness.acted == []


@pytest.mark.parametrize("data", ["y.", "y.AAAA", "sellall", "y.AAAAAAAAAAAAAAAAAAAAAA", "", "n"])
def test_forged_buttons_do_nothing(harness: CompanionHarness, data: str) -> None:
    harness.say("/sellall")
    harness.tap("", data=data)
    assert harness.acted == []


def test_somebody_elses_tap_does_nothing_even_with_the_right_number(harness: CompanionHarness) -> None:
    harness.say("/sellall")
    harness.telegram.tap(harness.question, harness.question.data_of("Yes"), sender=EVE)
    harness.cycle()
    assert harness.acted == []
    harness.tap("Yes")
    assert harness.acted == ["/sellall"], "and the owner's still counts"


def test_resuming_is_asked_about_and_pausing_is_done_at_once(harness: CompanionHarness) -> None:
    harness.say("/resume")
    assert harness.acted == []
    harness.say("/pause")
    assert harness.acted == ["/pause"]


def test_a_sale_whose_worker_dies_is_told_as_unknown(harness: CompanionHarness) -> None:
    harness.answers[ChatCommand.SELL_ALL, False] = None
    harness.say("/sellall")
    harness.tap("Yes")
    assert harness.told[-1] == "/sellall: what came of it is not known. Look with /status before you send it again"


# --------------------------------------------------------------------------- strangers


def test_strangers_get_silence_and_the_owner_one_message(harness: CompanionHarness) -> None:
    for text in ("/sellall", "/status", "hello"):
        harness.telegram.write(text, sender=EVE)
    harness.cycle()
    harness.telegram.write("/status", sender=EVE + 1)
    harness.cycle()
    assert harness.done == []
    assert {one.chat for one in harness.telegram.sent} == {harness.telegram.owner}
    (told,) = harness.told
    assert "Jean" in told
    assert str(EVE) in told
    harness.time += STRANGER_SECONDS
    harness.telegram.write("/status", sender=EVE)
    harness.telegram.write("/status", sender=EVE + 2)
    harness.cycle()
    assert len(harness.told) == 2, "another one, an hour later"


def test_the_owners_command_is_found_among_a_hundred_strangers(harness: CompanionHarness) -> None:
    for number in range(45):
        harness.telegram.write("spam", sender=EVE + number)
    harness.telegram.write("/pause")
    harness.cycle()
    assert harness.acted == ["/pause"]
    assert harness.telegram.calls["getUpdates"] <= 4


# --------------------------------------------------------------------------- late, lost, twice


@pytest.mark.parametrize(("seconds", "acted"), [(STALE_SECONDS, ["/pause"]), (STALE_SECONDS + 1, [])])
def test_a_command_of_more_than_two_minutes_is_told_and_not_done(
    harness: CompanionHarness, seconds: float, acted: list[str]
) -> None:
    harness.telegram.write("/pause")
    harness.time += seconds
    harness.cycle()
    assert harness.acted == acted
    late = "Not done: /pause was written 2 min ago. If you still want it, send it again"
    assert harness.told == (["/pause answered"] if acted else [late])


def test_what_is_no_command_is_told_so_however_late_it_comes(harness: CompanionHarness) -> None:
    """The word that finds the chat's number comes before the bot has ever run."""
    harness.telegram.write("hello")
    harness.time += STALE_SECONDS + 1
    harness.cycle()
    assert harness.told == ["That is no command here. /help lists them"]


def test_a_days_old_sale_is_not_made_after_an_outage(harness: CompanionHarness) -> None:
    harness.telegram.write("/sellall")
    harness.time += 20 * 3600
    harness.restart()
    harness.cycle()
    assert harness.done == []
    assert harness.told == ["Not done: /sellall was written 20 h ago. If you still want it, send it again"]


class DeathError(BaseException):
    """The process ends here."""


def dying(*_: Any, **__: Any) -> Any:
    raise DeathError


def die_in(harness: CompanionHarness, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(f"marsshot.telegram.{place}", dying)
        with pytest.raises(DeathError):
            harness.companion.cycle(poll_seconds=0)


BEFORE_CONFIRMING = ("polling.Polling.confirm", "in_hand.InHand.take")
AFTER_CONFIRMING = ("companion.Companion._hear",)


@pytest.mark.parametrize("place", BEFORE_CONFIRMING)
def test_a_death_before_telegram_forgets_it_leaves_the_command_to_be_done_once(
    harness: CompanionHarness, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    harness.telegram.write("/pause")
    die_in(harness, monkeypatch, place)
    harness.restart()
    harness.cycle()
    harness.cycle()
    assert harness.acted == ["/pause"]
    assert harness.told == ["/pause answered"]


@pytest.mark.parametrize("place", AFTER_CONFIRMING)
def test_a_death_after_it_repeats_nothing_and_is_told_once(
    harness: CompanionHarness, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    harness.telegram.write("/pause")
    die_in(harness, monkeypatch, place)
    for _ in range(2):
        harness.restart()
        harness.cycle()
    assert harness.acted == []
    assert harness.told == [
        "I was interrupted at /pause: it may be done or not. Look with /status before you send it again"
    ]


AROUND_THE_TAP = ("companion.Companion._hear_tap", "companion.Companion._begin", "chat.OwnerChat.answer_tap")


@pytest.mark.parametrize("place", AROUND_THE_TAP)
def test_a_death_between_the_tap_and_the_sale_sells_at_most_once_and_is_told(
    harness: CompanionHarness, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    harness.say("/sellall")
    yes = harness.question.data_of("Yes")
    harness.telegram.tap(harness.question, yes)
    harness.answers[ChatCommand.SELL_ALL, False] = None  # the worker dies with it
    die_in(harness, monkeypatch, place)
    harness.restart()
    harness.cycle()
    harness.tap("", data=yes)
    assert len(harness.acted) <= 1
    assert any("/sellall" in text and "Look with /status" in text for text in harness.told)


def test_a_confirmation_whose_answer_is_lost_is_asked_for_again_and_the_command_done_once(
    harness: CompanionHarness,
) -> None:
    harness.telegram.write("/pause")
    polled: list[int] = []
    ask = harness.companion._polling._ask

    def asked(fields: dict[str, object]) -> Any:
        polled.append(1)
        if len(polled) == 2:
            harness.server.cut.append("getUpdates")
        return ask(fields)

    harness.companion._polling._ask = asked  # type: ignore[method-assign]
    harness.cycle()
    harness.cycle()
    assert harness.acted == ["/pause"]


def test_a_file_that_cannot_be_written_stops_no_command(harness: CompanionHarness) -> None:
    (harness.folder / "telegram.json.tmp").mkdir()
    harness.say("/pause")
    assert harness.acted == ["/pause"]


# --------------------------------------------------------------------------- Telegram in trouble


def test_a_webhook_is_taken_away_and_what_waited_is_done(harness: CompanionHarness) -> None:
    harness.telegram.write("/pause")
    harness.telegram.webhook = "https://example.com/hook"
    harness.cycle()
    harness.cycle()
    assert harness.events == [CompanionEvent.WEBHOOK_REMOVED]
    assert harness.acted == ["/pause"]


def test_another_reader_is_told_and_waited_for(harness: CompanionHarness) -> None:
    harness.telegram.refuse("getUpdates", 409, "Conflict: terminated by other getUpdates request")
    harness.cycle()
    assert harness.events == [CompanionEvent.OTHER_READER]
    assert harness.slept == [30.0]


def test_a_command_that_another_reader_may_have_taken_is_not_done_and_told(harness: CompanionHarness) -> None:
    harness.telegram.write("/pause")
    confirm = harness.companion._polling.confirm
    harness.companion._polling.confirm = lambda number: None  # type: ignore[method-assign]
    harness.cycle()
    harness.companion._polling.confirm = confirm  # type: ignore[method-assign]
    harness.telegram.updates.confirm(10**12)
    harness.cycle()
    assert harness.acted == []
    assert "interrupted at /pause" in harness.told[0]


def test_a_quiet_period_is_kept_and_the_message_sent_after_it(harness: CompanionHarness) -> None:
    harness.telegram.refuse("sendMessage", 429, "Too Many Requests: retry after 7", retry_after=7)
    harness.say("/status")
    assert harness.slept == [7.0]
    assert harness.told == ["/status answered"]


def test_polls_wait_longer_and_longer_while_telegram_is_silent_and_it_is_told_once(harness: CompanionHarness) -> None:
    harness.telegram.refuse("getUpdates", 502, "Bad Gateway", times=8)
    for _ in range(9):
        harness.cycle()
    assert harness.slept == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
    assert harness.events == [CompanionEvent.SILENT, CompanionEvent.HEARD_AGAIN]
    harness.time = NOW
    harness.say("/status")
    assert harness.told == ["/status answered"]


def test_an_owner_who_has_blocked_his_bot_ends_nothing(harness: CompanionHarness) -> None:
    harness.telegram.blocked.add(harness.telegram.owner)
    harness.say("/pause")
    assert harness.acted == ["/pause"]
    assert harness.events == [CompanionEvent.BLOCKED]


def test_a_tap_that_is_answered_too_late_for_telegram_counts_all_the_same(harness: CompanionHarness) -> None:
    harness.say("/sellall")
    harness.telegram.refuse("answerCallbackQuery", 400, "Bad Request: query is too old")
    harness.telegram.refuse("editMessageText", 400, "Bad Request: message is not modified")
    harness.tap("Yes")
    assert harness.acted == ["/sellall"]


@pytest.mark.parametrize("code", [401, 404])
def test_a_token_that_is_not_known_ends_it(harness: CompanionHarness, code: int) -> None:
    harness.telegram.refuse("getUpdates", code, "Unauthorized")
    with pytest.raises(WrongTokenError):
        harness.companion.cycle(poll_seconds=0)


def test_in_french(harness: CompanionHarness) -> None:
    harness.restart("fr")
    harness.say("n'importe quoi")
    harness.say("/sellall")
    assert "/help" in harness.told[0]
    assert harness.question.data_of("Oui")


def test_typed_is_shown_as_it_is_typed() -> None:
    assert str(Typed(ChatCommand.CHART, "FET")) == "/chart FET"
