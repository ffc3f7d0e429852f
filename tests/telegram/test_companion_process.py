"""The companion as the bot starts it: a process of its own, with workers of its own, over the bot's real files."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from embedded_market.telegram.bot_api import SentMessage, TelegramStandIn
from embedded_market.telegram.server import TelegramServer
from marsshot.config.loader import read_settings
from marsshot.infra.event_log import log
from marsshot.monitoring import telegram_process
from marsshot.monitoring.telegram_order import CompanionOrder, read_order
from marsshot.monitoring.telegram_process import CompanionProcess, companion_order, telegram_companion, without_keys
from tests.helpers.companion_harness import bot_folder, wait_for

LONG = 120.0  # seconds: a child starts slowly on a busy machine
SECRETS = {
    "LUNARCRUSH_API_KEY": "lunar-secret-1",
    "BINANCE_API_KEY": "binance-key-1",
    "BINANCE_API_SECRET": "binance-secret-1",
}
MEGABYTE = 1024


@pytest.fixture
def telegram() -> Iterator[TelegramServer]:
    with TelegramServer(TelegramStandIn()) as server:
        yield server


@pytest.fixture
def config(tmp_path: Path, telegram: TelegramServer, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a book of two positions, a curve, and keys in the environment."""
    monkeypatch.chdir(tmp_path)
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    bot = telegram.stand_in
    return bot_folder(tmp_path, telegram={"token": bot.token, "chat_id": bot.owner, "base_url": telegram.url})


@contextmanager
def running(config: Path) -> Iterator[CompanionProcess]:
    with telegram_companion(read_settings(config), config) as companion:
        assert companion is not None
        wait_for(lambda: companion.pid is not None, LONG)
        yield companion


def answer_to(telegram: TelegramServer, text: str) -> SentMessage:
    """The owner writes; return what he is answered."""
    before = len(telegram.stand_in.sent)
    telegram.stand_in.write(text)
    wait_for(lambda: len(telegram.stand_in.sent) > before, LONG)
    return telegram.stand_in.sent[before]


@pytest.mark.slow
@pytest.mark.timeout(600)  # three children, each of which starts slowly on a busy machine
def test_the_owner_looks_and_sells_from_his_phone(telegram: TelegramServer, config: Path) -> None:
    folder = config.parent
    with running(config) as companion:
        assert answer_to(telegram, "/status").text.startswith("MarsShot, mode paper")
        question = answer_to(telegram, "/sellall")
        assert "FET: 100, " in question.text
        assert not list(folder.glob("SELL_ALL*"))
        telegram.stand_in.tap(question, question.data_of("Yes"))
        wait_for(lambda: "starts" in telegram.stand_in.sent[-1].text, LONG)
        assert [path.name for path in folder.glob("SELL_ALL*")] == ["SELL_ALL.paper"]
        wait_for(lambda: json.loads((folder / "telegram.paper.json").read_text()) == {}, LONG)
        _has_no_secret(companion, telegram)
        pid = companion.pid
    assert pid is not None
    wait_for(lambda: not Path(f"/proc/{pid}").exists(), LONG)


def _has_no_secret(companion: CompanionProcess, telegram: TelegramServer) -> None:
    process = Path(f"/proc/{companion.pid}")
    if not process.exists():  # another system than Linux
        return
    seen = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
    assert telegram.stand_in.token.split(":")[1].encode() not in seen
    for value in SECRETS.values():
        assert value.encode() not in seen
    status = (process / "status").read_text()
    peak = int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))
    assert peak < 40 * MEGABYTE


@pytest.mark.timeout(600)
def test_a_companion_that_is_killed_is_started_anew(
    telegram: TelegramServer, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telegram_process, "FIRST_PAUSE_SECONDS", 0.05)
    with running(config) as companion:
        assert "/status: " in answer_to(telegram, "/help").text
        first, in_hand = companion.pid, config.with_name("telegram.paper.json")
        assert first is not None
        wait_for(lambda: json.loads(in_hand.read_text()) == {}, LONG)
        os.kill(first, signal.SIGKILL)
        wait_for(lambda: companion.pid not in {None, first}, LONG)
        assert "/status: " in answer_to(telegram, "/help").text


def test_a_token_that_telegram_does_not_know_is_told_once_and_not_tried_again(
    telegram: TelegramServer, config: Path, caplog: pytest.LogCaptureFixture
) -> None:
    telegram.stand_in.refuse("getUpdates", 401, "Unauthorized")
    companion = CompanionProcess(read_settings(config), config)
    log.propagate, propagated = True, log.propagate
    try:
        thread = threading.Thread(target=companion.supervise)
        thread.start()
        thread.join(LONG)
        assert not thread.is_alive()
    finally:
        log.propagate = propagated
        companion.stop()
    told = [record.message for record in caplog.records if "telegram" in getattr(record, "event", "")]
    assert told[-1].startswith("Telegram does not know the bot of telegram.token")
    assert telegram.stand_in.calls["getUpdates"] == 1


def test_the_bot_stops_without_waiting_for_a_companion_that_hangs(
    telegram: TelegramServer, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging = [*telegram_process.COMPANION[:1], "-c", "import time; time.sleep(600)"]
    monkeypatch.setattr(telegram_process, "COMPANION", hanging)
    monkeypatch.setattr(telegram_process, "STOP_SECONDS", 0.2)
    begun = time.monotonic()
    with running(config) as companion:
        pid = companion.pid
    assert time.monotonic() - begun < LONG
    wait_for(lambda: not Path(f"/proc/{pid}").exists(), LONG)


def test_without_a_chat_nothing_is_started(config: Path) -> None:
    settings = read_settings(config)
    nobody = settings.model_copy(update={"telegram": without_keys(settings).telegram})
    with telegram_companion(nobody, config) as companion:
        assert companion is None


def test_what_it_is_told_holds_the_bots_token_and_no_other_key(telegram: TelegramServer, config: Path) -> None:
    order = companion_order(read_settings(config), config)
    line = order.as_line()
    assert telegram.stand_in.token.encode() in line
    assert read_order(line) == order
    assert isinstance(order, CompanionOrder)
    assert without_keys(read_settings(config)).secrets == ()
