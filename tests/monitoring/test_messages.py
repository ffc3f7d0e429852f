"""What the owner is told on the phone, in which words, how often; and that nobody waits for it."""

from __future__ import annotations

import base64
import json
import logging
import queue
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from marsshot.commands.notify_test import run_notify_test
from marsshot.config.loader import check_settings
from marsshot.core.catalog import Catalog, Language, load_texts
from marsshot.core.errors import InputError
from marsshot.core.reasons import OrderReason
from marsshot.exchange import order_tracker
from marsshot.infra.event_log import log, log_error, log_file_only, log_info, log_warning
from marsshot.monitoring import messenger
from marsshot.monitoring.messages import Kind, Message, merged_message, message_of, portfolio_value_text
from marsshot.monitoring.messenger import (
    MAX_QUEUE,
    MAX_TRIES,
    REPEAT_INTERVAL_SECONDS,
    TRY_AGAIN_SECONDS,
    Messenger,
    notifying,
    send,
)
from marsshot.monitoring.send_messages import draw_equity
from tests.helpers.builders import NOW, PROGRAM, D, a_book, a_fill, a_position, buy_intent, sell_intent, some_settings
from tests.helpers.french_text import plain

EN, FR = Catalog("en"), Catalog("fr")
CONFIG = Path("config.yaml")
FILLED: dict[str, Any] = {
    "side": "SELL",
    "symbol": "FET",
    "quantity": D("80.00"),
    "quote": D("39.84"),
    "asset": "USDT",
    "price": D("0.498"),
    "reason": "stop_loss",
    "gain": D("-0.502"),
}


def told(event: str, level: int = logging.INFO, catalog: Catalog = EN, **details: Any) -> Message | None:
    return message_of(event, level, "the line", details, catalog)


# --------------------------------------------------------------------------- which events, in which words


def test_a_sale_is_told_with_reason_and_gain() -> None:
    message = told("order.filled", **FILLED)
    assert message == Message(
        title="MarsShot", body="Sold 80 FET for 39.84 USDT at 0.498 (stop-loss, -50.2 % on the entry price)"
    )
    in_french = told("order.filled", catalog=FR, **FILLED)
    assert in_french is not None
    assert plain(in_french.body) == (
        "Vente : 80 FET pour 39,84 USDT à 0,498 (stop-loss, -50,2 % par rapport au prix d'entrée)"
    )


def test_a_purchase_has_no_gain() -> None:
    message = told("order.filled", **FILLED | {"side": "BUY", "reason": "daily_buy", "gain": None})
    assert message is not None
    assert message.body == "Bought 80 FET for 39.84 USDT at 0.498 (daily purchase)"


def test_every_order_that_executes_says_what_its_message_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    details: list[dict[str, Any]] = []
    monkeypatch.setattr(order_tracker, "log_info", lambda *_, **given: details.append(given))
    order_tracker._log_fill(buy_intent(), a_fill(), a_book())
    order_tracker._log_fill(sell_intent(), a_fill(quote=D(120)), a_book(positions={"FET": a_position()}))
    bought, sold = (told("order.filled", **given) for given in details)
    assert bought is not None
    assert sold is not None
    assert bought.body == "Bought 100 FET for 100.00 USDT at 1 (daily purchase)"
    assert sold.body == "Sold 100 FET for 120.00 USDT at 1.2 (stop-loss, +20.0 % on the entry price)"
    assert (bought.kind, sold.kind) == (Kind.INFO, Kind.SUCCESS)


@pytest.mark.parametrize("reason", list(OrderReason))
def test_every_reason_has_its_words(reason: str) -> None:
    assert told("order.filled", **FILLED | {"reason": str(reason)}) is not None


def test_the_daily_pass_is_told_with_the_picture() -> None:
    facts: dict[str, Any] = {"day": date(2026, 1, 31), "capital": D("812.4"), "asset": "USDC", "positions": 3}
    message = told("daily.done", catalog=FR, **facts)
    assert message is not None
    assert (message.title, message.with_chart, message.daily_update) == ("MarsShot, 31/01/2026", True, facts["day"])
    assert "812,40 USDC ; positions : 3." in plain(message.body)


def test_the_start_is_told_with_what_the_bot_has() -> None:
    facts: dict[str, Any] = {"mode": "live", "capital": D("812.4"), "asset": "USDC", "positions": 3}
    message = told("bot.started", **facts)
    assert message is not None
    assert message.body == "The bot has started in mode live. Free capital 812.40 USDC; positions: 3"


@pytest.mark.parametrize(
    ("event", "begins"),
    [
        ("bot.stopped", "The bot has stopped."),
        ("control.sell_all", "Every position is being sold"),
    ],
)
def test_the_turns_of_the_bots_life_are_told(event: str, begins: str) -> None:
    message = told(event)
    assert message is not None
    assert message.body.startswith(begins)
    assert message.topic == "", "never held back"


@pytest.mark.parametrize(("paused", "begins"), [(True, "Buying is paused;"), (False, "Buying is allowed again.")])
def test_what_the_bot_has_heard_of_the_owner_is_told_back(paused: bool, begins: str) -> None:
    message = told("control.heard", paused=paused)
    assert message is not None
    assert message.body.startswith(begins)


@pytest.mark.parametrize("event", ["price.note", "daily.scoring", "order.too_small", "messages.not_sent", ""])
def test_what_the_owner_need_not_know_is_not_told(event: str) -> None:
    assert told(event) is None
    assert told(event, logging.WARNING) is None


def test_whatever_needs_a_person_is_told_known_or_not() -> None:
    known, unknown = told("book.differs", logging.ERROR), told("no.such.event", logging.ERROR)
    assert known is not None
    assert unknown is not None
    assert known.title == unknown.title == "MarsShot needs you"
    assert known.body == "The book and the Binance account do not agree. In bot.log: the line"
    assert unknown.body == "Something went wrong; the bot goes on. In bot.log: the line"
    assert known.kind is Kind.FAILURE


def test_a_trouble_that_the_bot_copes_with_is_told_as_one() -> None:
    message = told("cycle.failed", logging.WARNING)
    assert message is not None
    assert (message.title, message.kind) == ("MarsShot: something went wrong", Kind.WARNING)


def test_the_catalogue_describes_events_that_there_are() -> None:
    program = "".join(path.read_text() for path in PROGRAM)
    for key in load_texts("en"):
        if key.startswith("event."):
            event = key.removeprefix("event.")
            names = (event, event.removeprefix("order."), event.removeprefix("telegram."))  # or f"order.{topic}"
            assert any(f'"{name}"' in program for name in names), key


def test_several_messages_become_one_with_the_worst_ones_title() -> None:
    messages = [
        Message(title="MarsShot", body="one", kind=Kind.SUCCESS),
        Message(title="needs you", body="two", kind=Kind.FAILURE),
        Message(title="daily", body="three", with_chart=True),
    ]
    whole = merged_message(messages, 2, EN)
    assert (whole.title, whole.kind, whole.with_chart) == ("needs you", Kind.FAILURE, True)
    assert whole.body == "one\n\ntwo\n\nthree\n\n2 more messages did not fit; see bot.log"


def test_a_title_that_says_something_goes_before_the_plain_one() -> None:
    messages = [Message(title="MarsShot", body="one"), Message(title="MarsShot, 31/01/2026", body="two")]
    assert merged_message(messages, 0, EN).title == "MarsShot, 31/01/2026"


# --------------------------------------------------------------------------- the handler


class MessengerHarness:
    """A messenger on the bot's log, its stopwatch, and what its thread would send."""

    def __init__(self, **settings: Any) -> None:
        self.seconds = 0.0
        self.settings = some_settings(**{"notify": ["json://127.0.0.1:1/secret"]} | settings)
        self.messenger = Messenger(lambda: self.settings, Path("config.yaml"), lambda: self.seconds)

    def queued(self) -> list[str]:
        bodies = []
        with suppress(queue.Empty):
            while message := self.messenger._queue.get_nowait():
                bodies.append(message.body)
        return bodies


@pytest.fixture
def harness(monkeypatch: pytest.MonkeyPatch) -> Iterator[MessengerHarness]:
    harness = MessengerHarness()
    monkeypatch.setattr(log, "level", logging.INFO)
    log.addHandler(harness.messenger)
    yield harness
    log.removeHandler(harness.messenger)


@pytest.mark.parametrize(("seconds", "count"), [(REPEAT_INTERVAL_SECONDS - 1, 1), (REPEAT_INTERVAL_SECONDS, 2)])
def test_the_same_trouble_is_told_once_an_hour(harness: MessengerHarness, seconds: float, count: int) -> None:
    log_warning("cycle.failed", "no network")
    harness.seconds = seconds
    log_warning("cycle.failed", "no network, still")
    assert len(harness.queued()) == count


def test_the_same_trouble_of_another_token_is_another(harness: MessengerHarness) -> None:
    for symbol in ("FET", "OP", "FET"):
        log_error("order.account_trouble", f"{symbol}: could not be sold", symbol=symbol)
    assert len(harness.queued()) == 2


def test_sales_are_never_held_back(harness: MessengerHarness) -> None:
    for _ in range(3):
        log_info("order.filled", "Sold", **FILLED)
    assert len(harness.queued()) == 3


def test_a_queue_that_is_full_counts_what_does_not_fit_and_keeps_nobody_waiting(harness: MessengerHarness) -> None:
    for _ in range(MAX_QUEUE + 7):
        log_info("order.filled", "Sold", **FILLED)
    assert len(harness.queued()) == MAX_QUEUE
    assert harness.messenger._dropped == 7


def test_an_event_that_lacks_what_its_message_needs_is_told_as_it_stands(harness: MessengerHarness) -> None:
    """An error here would break into the middle of an order's life."""
    log_info("order.filled", "Sold 100 FET", side="SELL")
    log_info("daily.done", "Daily pass of today")
    log_info("order.filled", "Sold 5 OP", **FILLED | {"price": "no number"})
    log_info("order.filled", "Sold 6 OP", **FILLED | {"quantity": "no number"})
    assert harness.queued() == ["Sold 100 FET", "Daily pass of today", "Sold 5 OP", "Sold 6 OP"]


def test_without_addresses_nothing_is_queued(harness: MessengerHarness) -> None:
    harness.settings = some_settings(notify=[])
    log_info("bot.started", "MarsShot runs")
    assert harness.queued() == []


def test_a_catalogue_that_cannot_be_read_keeps_nobody_from_selling(
    harness: MessengerHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(_: Language) -> Catalog:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(messenger, "catalog_of", unreadable)
    log_info("order.filled", "Sold 100 FET", **FILLED)
    assert harness.queued() == ["Sold 100 FET"]


def test_what_is_for_the_file_alone_is_not_told(harness: MessengerHarness) -> None:
    log_file_only("order.too_small", "dust")
    assert harness.queued() == []


def test_messages_have_the_language_of_the_settings_in_use(harness: MessengerHarness) -> None:
    harness.settings = harness.settings.model_copy(update={"language": "fr"})
    log_info("bot.stopped", "MarsShot has stopped")
    (body,) = harness.queued()
    assert body.startswith("Le robot s'est arrêté.")


# --------------------------------------------------------------------------- really sent, through Apprise


class StubPushService(BaseHTTPRequestHandler):
    status = 200
    received: list[dict[str, Any]] = []  # noqa: RUF012 - emptied by the fixture
    hangs = threading.Event()

    def do_POST(self) -> None:
        content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        type(self).received.append(content)
        if self.path.startswith("/hang"):
            self.hangs.wait(60)
        self.send_response(500 if self.path.startswith("/broken") else 200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def push_service() -> Iterator[str]:
    StubPushService.received.clear()
    StubPushService.hangs.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), StubPushService) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"json://127.0.0.1:{server.server_port}"
        StubPushService.hangs.set()
        server.shutdown()


def equity_csv(folder: Path) -> Path:
    path = folder / "equity.csv"
    path.write_text(
        "time,capital,positions,equity\n2026-01-01T00:30:00Z,1000,0,1000\n2026-01-02T00:30:00Z,10,1000.5,1010.5\nbroken,row\n"
    )
    return path


@pytest.mark.slow
def test_a_message_reaches_the_service_with_the_picture(push_service: str, tmp_path: Path) -> None:
    message = Message(title="MarsShot, 31/01/2026", body="Vente à 0,498", kind=Kind.WARNING, with_chart=True)
    assert send([push_service], message, equity_csv(tmp_path)) == [True]
    (received,) = StubPushService.received
    assert (received["title"], received["message"], received["type"]) == (message.title, message.body, "warning")
    (picture,) = received["attachments"]
    assert base64.b64decode(picture["base64"]).startswith(b"\x89PNG")


def test_each_service_is_told_of_for_itself(push_service: str) -> None:
    message = Message(title="MarsShot", body="hello")
    assert send([f"{push_service}/broken", push_service, "nosuch://service"], message, None) == [False, True, False]


def test_a_service_that_hangs_is_left_after_a_while(push_service: str) -> None:
    assert send([f"{push_service}/hang"], Message(title="MarsShot", body="hello"), None, seconds=0.2) == [False]


def test_a_child_that_cannot_be_started_or_answers_nonsense_is_a_message_not_sent(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for program in (None, "", "print('[true')", "print('[true, true]')", "raise SystemExit(3)"):
        sender = tmp_path / "sender.py"
        if program is not None:
            sender.write_text(program)
        monkeypatch.setattr(messenger, "SENDER", [sys.executable, str(sender)])
        assert send(["json://x"], Message(title="MarsShot", body="hello"), None) == [False]


def test_no_url_stands_in_the_childs_arguments_or_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}

    def run(arguments: list[str], **given: Any) -> subprocess.CompletedProcess[str]:
        seen.update(given, arguments=arguments)
        return subprocess.CompletedProcess(arguments, 0, stdout="[true]")

    monkeypatch.setattr(subprocess, "run", run)
    for variable in ("BINANCE_API_SECRET", "MARSSHOT_NOTIFY"):
        monkeypatch.setenv(variable, "secret")
    send(["json://secret"], Message(title="MarsShot", body="hello"), None)
    assert "secret" not in " ".join(seen["arguments"])
    assert "secret" not in seen["env"].values()
    assert "PATH" in seen["env"]
    assert "secret" in seen["input"]


@pytest.mark.parametrize(
    "rows", ["", "time,capital,positions,equity\n", "2026-01-01T00:30:00Z,1,2,3\n", "other,file\n1,2\n"]
)
def test_there_is_no_picture_of_less_than_two_points(tmp_path: Path, rows: str) -> None:
    (tmp_path / "equity.csv").write_text(rows)
    assert draw_equity(tmp_path / "equity.csv", tmp_path, FR) is None
    assert draw_equity(tmp_path / "none.csv", tmp_path, FR) is None


def test_the_daily_message_says_what_everything_is_worth(
    sent: Sent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    equity_csv(tmp_path).rename("equity.paper.csv")
    with notifying(lambda: some_settings(notify=["json://one"]), CONFIG):
        log_info("daily.done", "Daily pass", day=date(2026, 1, 2), capital=D(10), asset="USDT", positions=3)
    assert sent[0][1].body.endswith("\n\nEverything together is worth 1,010.50 USDT (+1.0 % since the day before)")


@pytest.mark.parametrize(("hours", "told"), [(24, " (+10.0 % since the day before)"), (23.9, "")])
def test_a_gain_of_the_day_needs_a_worth_of_the_day_before(hours: float, told: str) -> None:
    points = [(NOW - timedelta(hours=hours), D(100)), (NOW, D(110))]
    assert portfolio_value_text(points, points, "USDC", EN) == f"Everything together is worth 110.00 USDC{told}"
    assert portfolio_value_text([], [], "USDC", EN) == ""


# --------------------------------------------------------------------------- the thread


Sent = list[tuple[list[str], Message]]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    """What is handed to the child; nothing is gathered for long."""
    calls: Sent = []

    def send_nothing(urls: list[str], message: Message, _: Path) -> list[bool]:
        calls.append((list(urls), message))
        return ["broken" not in url for url in urls]

    monkeypatch.setattr(messenger, "send", send_nothing)
    monkeypatch.setattr(messenger, "BATCH_SECONDS", 0.05)
    monkeypatch.setattr(messenger, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(log, "level", logging.INFO)
    return calls


def test_what_comes_together_goes_together_and_the_last_word_is_waited_for(sent: Sent) -> None:
    with notifying(lambda: some_settings(notify=["json://one", "json://two"]), CONFIG):
        log_info("order.filled", "Sold", **FILLED)
        log_info("order.filled", "Sold", **FILLED)
        log_info("bot.stopped", "MarsShot has stopped")
    ((urls, message),) = sent
    assert urls == ["json://one", "json://two"]
    assert message.body.count("Sold 80 FET") == 2
    assert message.body.endswith("no stop-loss acts.")


def test_no_secret_is_in_a_message(sent: Sent) -> None:
    settings = some_settings(notify=["json://one"], lunarcrush={"api_key": "lunar-secret"})
    with notifying(lambda: settings, CONFIG):
        log_error("cycle.surprise", "json://one and lunar-secret came up")
    assert "*** and *** came up" in sent[0][1].body


def test_only_who_has_not_taken_it_is_asked_again_and_not_for_ever(sent: Sent) -> None:
    harness = MessengerHarness(notify=["json://good", "json://broken"])
    delivery = harness.messenger._delivery([Message(title="MarsShot", body="hello")])
    moments = [0.0, TRY_AGAIN_SECONDS - 1, *(number * TRY_AGAIN_SECONDS for number in range(1, 10))]
    goes_on = [delivery.try_send(moment) for moment in moments[: MAX_TRIES + 1]]
    assert goes_on == [True] * MAX_TRIES + [False]
    assert [urls for urls, _ in sent] == [["json://good", "json://broken"], *[["json://broken"]] * (MAX_TRIES - 1)]


def test_that_messages_are_not_taken_is_logged_once_an_hour(sent: Sent, monkeypatch: pytest.MonkeyPatch) -> None:
    warned: list[str] = []
    monkeypatch.setattr(messenger, "log_warning", lambda event, text: warned.append(f"{event} {text}"))
    with notifying(lambda: some_settings(notify=["json://broken-secret"]), CONFIG):
        log_info("control.sell_all", "all")
        _wait_for(lambda: len(sent) == 1)
        log_info("bot.stopped", "MarsShot has stopped")
    (line,) = warned
    assert line.startswith("messages.not_sent A service in notify does not take messages")
    assert "secret" not in line


def _wait_for(condition: Callable[[], bool]) -> None:
    for _ in range(500):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it did not happen")


def test_a_service_that_hangs_keeps_the_bot_neither_waiting_nor_from_ending(
    sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    forever = threading.Event()
    monkeypatch.setattr(messenger, "send", lambda *_: [forever.wait(60)])
    monkeypatch.setattr(messenger, "FLUSH_SECONDS", 0.1)
    with notifying(lambda: some_settings(notify=["json://one"]), CONFIG):
        for _ in range(MAX_QUEUE * 2):
            log_info("order.filled", "Sold", **FILLED)
    assert not forever.is_set()
    forever.set()


def test_the_daemon_loads_neither_apprise_nor_matplotlib() -> None:
    """They are named in the child's program alone."""
    assert {path.name for path in PROGRAM if re.search(r"^\s*(from|import) apprise", path.read_text(), re.M)} == {
        "send_messages.py"
    }
    assert not re.search(r"import.*\bsend_messages", "".join(path.read_text() for path in PROGRAM))


# --------------------------------------------------------------------------- settings and the command


@pytest.mark.parametrize(
    ("text", "urls"),
    [
        ("json://one", ["json://one"]),
        ("json://one mailto://a:b@c.fr?to=d,e tgram://t/c", ["json://one", "mailto://a:b@c.fr?to=d,e", "tgram://t/c"]),
        ("json://one,json://two, json://three\n", ["json://one", "json://two", "json://three"]),
    ],
)
def test_addresses_come_from_the_environment_too(text: str, urls: list[str]) -> None:
    from tests.helpers.builders import seed_content

    settings = check_settings(
        seed_content() | {"notify": ["json://file"]}, Path("config.yaml"), {"MARSSHOT_NOTIFY": text}
    )
    assert [url.get_secret_value() for url in settings.notify] == urls
    assert set(urls) <= set(settings.secrets)
    assert not any(url in repr(settings) for url in urls)


@pytest.mark.parametrize(
    "notify", ["tgram://secret/1", ["secret"], [5], {"secret": 1}, ["two se cret://x"], [["a://b"]]]
)
def test_a_faulty_address_is_refused_and_not_shown(notify: object) -> None:
    with pytest.raises(InputError) as refused:
        some_settings(notify=notify)
    assert "notify" in str(refused.value)
    assert "secret" not in str(refused.value)


@pytest.mark.slow
@pytest.mark.parametrize("language", ["en", "fr"])
def test_notify_test_says_which_address_took_the_message(
    push_service: str,
    language: Language,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = some_settings(notify=[push_service, "nosuch://secret"], language=language)
    assert run_notify_test(settings) == 1
    catalog = Catalog(language)
    assert capsys.readouterr().out.splitlines() == [
        catalog.text("notify_test.taken", number=1, scheme="json"),
        catalog.text("notify_test.not_taken", number=2, scheme="nosuch"),
    ]
    assert StubPushService.received[0]["message"] == catalog.text("message.test")
    assert run_notify_test(settings.model_copy(update={"notify": settings.notify[:1]})) == 0


def test_notify_test_without_an_address_says_where_to_put_one() -> None:
    with pytest.raises(InputError, match=r"notify: is empty; put an address into config.yaml or into MARSSHOT_NOTIFY"):
        run_notify_test(some_settings())
