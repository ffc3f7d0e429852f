"""What the phone shows, and asks of the bot, over the bot's real files: words and requests of the command line."""

from __future__ import annotations

import base64
import json
import pickle
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from marsshot.bot.control_files import CommandReply, ControlFiles
from marsshot.bot.daily_candles import daily_candles
from marsshot.bot.owner_requests import request_sale
from marsshot.commands.controls import RETRYABLE_REASONS
from marsshot.commands.status import show_status
from marsshot.config.loader import read_settings
from marsshot.config.settings import Settings
from marsshot.core.book import Book
from marsshot.core.catalog import Language
from marsshot.core.reasons import OrderReason, UnsoldReason
from marsshot.core.requests import OwnerRequest, RequestAnswer, RequestKind, RequestOutcome
from marsshot.infra.atomic_files import Disk
from marsshot.infra.clock import SystemClock
from marsshot.monitoring.telegram_process import without_keys
from marsshot.portfolio.trades_file import csv_rows
from marsshot.telegram import actions, token_chart
from marsshot.telegram.answers import answer, current_settings
from marsshot.telegram.chat_commands import CONFIRMED, NEEDS_TOKEN, ChatCommand
from marsshot.telegram.page import Page
from marsshot.telegram.pages import MAX_DECISIONS
from positions_store import is_locked, load_state, save_state, writer_lock
from tests.helpers.builders import D, a_trade
from tests.helpers.companion_harness import bot_folder, wait_for

HEAD = "day,time,symbol,held,probability,hit_rate,hit_rows,action,quote,reason,detail"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.chdir(tmp_path)
    return read_settings(bot_folder(tmp_path))


def page(settings: Settings, command: ChatCommand, token: str = "", *, is_question: bool = False) -> Page:
    return answer(settings, command, token, is_question=is_question)


def text(settings: Settings, command: ChatCommand, token: str = "", *, is_question: bool = False) -> str:
    return "\n".join(page(settings, command, token, is_question=is_question).texts)


def in_language(settings: Settings, language: Language) -> Settings:
    return settings.model_copy(update={"language": language})


# --------------------------------------------------------------------------- looking


@pytest.mark.parametrize("language", ["en", "fr"])
def test_status_says_what_the_command_line_says(
    settings: Settings, capsys: pytest.CaptureFixture[str], language: Language
) -> None:
    settings = in_language(settings, language)
    show_status(settings, as_json=False)
    assert text(settings, ChatCommand.STATUS) == capsys.readouterr().out.strip()


def test_positions_are_shown_with_where_their_rules_wait(settings: Settings) -> None:
    shown = text(settings, ChatCommand.POSITIONS)
    assert "FET: 100 bought at 1" in shown
    assert "stop-loss at 0.5" in shown
    assert "OP: 10 bought at 2" in shown


def test_profit_comes_with_the_curve(settings: Settings) -> None:
    shown = page(settings, ChatCommand.PROFIT)
    assert shown.texts[1].startswith("Worth ")
    assert shown.picture.startswith(b"\x89PNG")
    Path("equity.paper.csv").unlink()
    assert page(settings, ChatCommand.PROFIT).picture == b"", "and without it where there is nothing to draw"


def test_a_chart_shows_the_tokens_prices_and_levels(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    assert text(settings, ChatCommand.CHART, "FET") == "FET: there are no daily prices of it on this machine"
    recorded = daily_candles(settings.model_copy(update={"mode": "demo"}), "BTC")
    monkeypatch.setattr(token_chart, "daily_candles", lambda *_: recorded)
    monkeypatch.setattr(token_chart, "SHOWN_DAYS", 36_500)
    shown = page(settings, ChatCommand.CHART, "FET")
    assert shown.picture.startswith(b"\x89PNG")
    assert shown.texts == ("FET: the daily closes of half a year",)


def test_without_a_token_the_chart_is_the_curve(settings: Settings) -> None:
    assert page(settings, ChatCommand.CHART) == page(settings, ChatCommand.PROFIT)


def test_decisions_of_the_last_day_by_score_and_of_one_token_by_day(settings: Settings) -> None:
    assert text(settings, ChatCommand.DECISIONS) == "There has been no daily pass yet"
    rows = [
        f"2026-01-0{day},2026-01-0{day}T00:30:00Z,{token},false,{score},,,{action},,x,{why}"
        for day, token, score, action, why in (
            (1, "FET", "0.9", "buy", "old"),
            (2, "OP", "", "leave", "no bar"),
            (2, "FET", "0.71", "buy", "score of 0.70 or more"),
            (2, "ARB", "0.8", "buy", "best"),
        )
    ]
    many = [f"2026-01-02,x,T{n},false,0.{100 + n},,,leave,,x,low" for n in range(MAX_DECISIONS)]
    Path("decisions.paper.csv").write_text("\n".join([HEAD, *rows, *many, ""]))
    lines = text(settings, ChatCommand.DECISIONS).splitlines()
    assert lines[1:3] == ["ARB 0.800, buy: best", "FET 0.710, buy: score of 0.70 or more"]
    assert lines[-1] == "... and 3 more"
    of_fet = text(settings, ChatCommand.DECISIONS, "FET").splitlines()
    assert of_fet == ["2026-01-01: FET 0.900, buy: old", "2026-01-02: FET 0.710, buy: score of 0.70 or more"]
    assert text(settings, ChatCommand.DECISIONS, "SOL") == "SOL: no daily pass has decided about it"


def test_a_file_that_is_not_what_the_bot_writes_is_told(settings: Settings) -> None:
    Path("bot_state.paper.json").write_text("{")
    assert "is not JSON" in text(settings, ChatCommand.STATUS)
    Path("bot_state.paper.json").unlink()
    Path("bot_state.paper.json.bak").unlink(missing_ok=True)
    assert "there is no book yet" in text(settings, ChatCommand.PROFIT)


@pytest.mark.parametrize("command", list(ChatCommand))
@pytest.mark.parametrize("language", ["en", "fr"])
def test_every_command_has_its_answer(settings: Settings, command: ChatCommand, language: Language) -> None:
    token = "FET" if command in NEEDS_TOKEN else ""
    if command is not ChatCommand.HELP:  # which the companion answers itself
        assert text(in_language(settings, language), command, token)
    if command in CONFIRMED:
        assert page(in_language(settings, language), command, token, is_question=True).is_question


# --------------------------------------------------------------------------- asking, then doing


def test_before_a_sale_it_is_said_what_would_be_sold_and_for_about_how_much(settings: Settings) -> None:
    seen = {"time": "2026-01-02T00:00:00Z", "put_off": "", "put_off_until": None}
    prices = {"FET": {"price": "1.5", "time": "2026-01-02T00:00:00Z"}}
    Path("seen.paper.json").write_text(json.dumps(seen | {"prices": prices}))
    asked = page(settings, ChatCommand.SELL_ALL, is_question=True)
    assert asked.is_question
    assert asked.texts[0].splitlines() == [
        "FET: 100, worth about 150.00 USDT",
        "OP: 10, bought for 20.00 USDT, no price seen yet",
        "",
        "Sell everything at the market price (2 in all, worth about 170.00 USDT), and pause buying? You have a minute",
    ]
    assert not list(Path().glob("SELL_ALL*"))
    assert not list(Path().glob("PAUSE*"))


def test_pausing_and_resuming_write_what_the_command_line_writes(settings: Settings) -> None:
    control = ControlFiles(settings)
    assert "Buying is paused" in text(settings, ChatCommand.PAUSE)
    assert control.paused()
    assert "(" not in text(settings, ChatCommand.RESUME, is_question=True)
    control.pause("to look at it")
    assert "again (to look at it)?" in text(settings, ChatCommand.RESUME, is_question=True)
    assert "Buying is allowed again" in text(settings, ChatCommand.RESUME)
    assert not control.paused()
    assert control.is_resume_requested()


def test_a_sale_without_a_bot_is_kept_for_its_start_with_buys_stopped_first(settings: Settings) -> None:
    control = ControlFiles(settings)
    assert text(settings, ChatCommand.SELL_ALL).startswith("No bot is running.")
    assert control.paused()
    assert control.is_sell_all_requested()


SOLD_FET = "Sold: 100 FET for 120.00 USDT at 1.2 (gain +20.00 USDT)"
IN_DOUBT_OP = "Not sold: OP: an order of it was sent, and its outcome is still being looked up"
TOO_SMALL_OP = "Not sold: OP: it is under Binance's smallest order"
MARKED = "It is marked for sale: a running bot tries it at each check, the same command tries it at once"


def write_sales(reason: OrderReason, *, new: bool) -> None:
    """Have trades.csv tell of an older sale of FET, and of one that was just made."""
    old = a_trade("ms-old", reason=reason, price=D(9), quote=D(900), profit="800")
    sale = a_trade("ms-new", reason=reason, price=D("1.2"), quote=D(120), profit="20")
    Path("trades.paper.csv").write_bytes(csv_rows([old, sale] if new else [old], header=True))


def sell_fet(reason: OrderReason) -> None:
    """Do to the files what a bot's sale does."""
    write_sales(reason, new=True)
    held = {symbol: one for symbol, one in the_book().positions.items() if symbol != "FET"}
    save_state(replace(the_book(), positions=held), Path("bot_state.paper.json"), Disk())


def the_book() -> Book:
    book = load_state(Path("bot_state.paper.json"), "paper", Disk())
    assert book is not None
    return book


@contextmanager
def a_bot_that_sells(
    settings: Settings, left: dict[str, tuple[UnsoldReason, str]], sell: Callable[[], None] = lambda: None
) -> Iterator[None]:
    """Hold the book as a running bot does, and answer SELL_ALL."""
    control, ended = ControlFiles(settings), threading.Event()

    def run() -> None:
        with writer_lock(Path("bot_state.paper.json")):
            wait_for(lambda: control.is_sell_all_requested() or ended.is_set(), 60.0)
            sell()
            control.write_reply(CommandReply(paused=True, sold_all=True, left=left))
            control.acknowledge_sell_all()
            ended.wait(60.0)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        wait_for(lambda: is_locked(Path("bot_state.paper.json")), 60.0)
        yield
    finally:
        ended.set()
        thread.join()


def test_a_sale_by_the_running_bot_tells_what_was_not_sold_and_why(settings: Settings) -> None:
    with a_bot_that_sells(settings, {"OP": (UnsoldReason.TOO_SMALL, "")}):
        told = text(settings, ChatCommand.SELL_ALL)
    assert "Not sold: OP: it is under Binance's smallest order" in told


def test_a_sale_of_everything_tells_what_this_one_sold_and_what_is_left(settings: Settings) -> None:
    write_sales(OrderReason.SELL_ALL, new=False)
    left = {"OP": (UnsoldReason.TOO_SMALL, "")}
    with a_bot_that_sells(settings, left, lambda: sell_fet(OrderReason.SELL_ALL)):
        told = page(settings, ChatCommand.SELL_ALL).texts
    assert told[:2] == (SOLD_FET, TOO_SMALL_OP)
    assert told[2].startswith("What is left is marked for sale")


@pytest.mark.parametrize(
    ("token", "left", "told"),
    [
        ("FET", {}, (SOLD_FET,)),
        ("OP", {"OP": (UnsoldReason.TOO_SMALL, "")}, (TOO_SMALL_OP, MARKED)),
        *(("OP", {"OP": (reason, "")}, (IN_DOUBT_OP, MARKED)) for reason in sorted(RETRYABLE_REASONS)),
        ("OP", {}, (IN_DOUBT_OP, MARKED)),
    ],
)
def test_a_sale_of_one_position_tells_what_came_of_it(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    token: str,
    left: dict[str, tuple[UnsoldReason, str]],
    told: tuple[str, ...],
) -> None:
    write_sales(OrderReason.SELL_TOKEN, new=False)

    def requested_and_answered(control: ControlFiles, symbol: str) -> OwnerRequest:
        request = request_sale(control, symbol)
        if symbol == "FET":
            sell_fet(OrderReason.SELL_TOKEN)
        control.write_reply(CommandReply(paused=False, left=left))
        answer_done(request)
        return request

    monkeypatch.setattr(actions, "request_sale", requested_and_answered)
    monkeypatch.setattr(actions, "REPLY_SECONDS", 0.0)
    with writer_lock(Path("bot_state.paper.json")):
        assert page(settings, ChatCommand.SELL, token).texts == told


def test_a_sale_that_is_still_being_made_is_waited_for(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    control, looked = ControlFiles(settings), list[float]()
    control.write_reply(CommandReply(paused=False, left={"OP": (UnsoldReason.IN_DOUBT, "")}))

    def sell_meanwhile(_: SystemClock, seconds: float) -> None:
        looked.append(seconds)
        control.write_reply(CommandReply(paused=False, left={"OP": (UnsoldReason.TOO_SMALL, "")}))

    monkeypatch.setattr(SystemClock, "sleep", sell_meanwhile)
    monkeypatch.setattr(actions, "request_sale", lambda *_: a_sale_of_op(control))
    with writer_lock(Path("bot_state.paper.json")):
        assert page(settings, ChatCommand.SELL, "OP").texts == (TOO_SMALL_OP, MARKED)
    assert len(looked) == 1


def a_sale_of_op(control: ControlFiles) -> OwnerRequest:
    request = OwnerRequest(request_id="op", kind=RequestKind.SELL, symbol="OP")
    control.write_request(request)
    answer_done(request)
    return request


def answer_done(request: OwnerRequest) -> None:
    answers = {request.request_id: RequestAnswer(outcome=RequestOutcome.DONE, time_ms=0)}
    save_state(replace(the_book(), answered_requests=answers), Path("bot_state.paper.json"), Disk())


def test_one_position_is_asked_about_with_its_worth_and_asked_of_the_bot(settings: Settings) -> None:
    asked = page(settings, ChatCommand.SELL, "OP", is_question=True)
    assert asked.texts == (
        "OP: 10, bought for 20.00 USDT, no price seen yet",
        "",
        "Sell OP whole, at the market price? You have a minute",
    )
    assert text(settings, ChatCommand.SELL, "SOL", is_question=True) == "nothing of SOL is held. Held: FET, OP"
    assert text(settings, ChatCommand.SELL, "OP").startswith("No bot is running.")
    ((request,), _) = ControlFiles(settings).owner_requests()
    assert (request.kind, request.symbol) == (RequestKind.SELL, "OP")


@pytest.mark.parametrize(
    ("command", "kind", "sentence"),
    [
        (
            ChatCommand.EXCLUDE,
            RequestKind.EXCLUDE,
            "No more purchases of FET; its exits go on. Allow them again with: python main.py include FET",
        ),
        (ChatCommand.INCLUDE, RequestKind.INCLUDE, "Purchases of FET are allowed again"),
    ],
)
def test_what_the_running_bot_answers_is_told(
    settings: Settings, command: ChatCommand, kind: RequestKind, sentence: str
) -> None:
    control, requests = ControlFiles(settings), list[OwnerRequest]()

    def answered() -> None:
        wait_for(lambda: bool(control.owner_requests()[0]), 60.0)
        requests.extend(control.owner_requests()[0])
        answer_done(requests[0])

    with a_bot_that_sells(settings, {}):
        thread = threading.Thread(target=answered)
        thread.start()
        told = text(settings, command, "FET")
        thread.join()
    assert [(one.kind, one.symbol) for one in requests] == [(kind, "FET")]
    assert told == sentence


def test_a_token_that_is_in_no_list_is_not_excluded(settings: Settings) -> None:
    assert "is it a typing mistake?" in text(settings, ChatCommand.EXCLUDE, "FTE")
    assert ControlFiles(settings).owner_requests() == ([], [])


# --------------------------------------------------------------------------- settings


def test_a_faulty_file_or_another_mode_leaves_the_running_bots_settings(settings: Settings) -> None:
    of_bot = base64.b64encode(pickle.dumps(without_keys(settings))).decode()
    config = Path("config.yaml")
    assert current_settings(config, of_bot) == read_settings(config)
    whole = config.read_text()
    config.write_text(whole.replace("mode: paper", "mode: live"))
    assert current_settings(config, of_bot).mode == "paper"
    config.write_text("mode: [")
    assert current_settings(config, of_bot) == without_keys(settings)
