"""`main.py setup`: questions in, settings and keys out; what ends it before the last yes leaves both as they were."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from embedded_market import EmbeddedMarket, MarketServer
from marsshot.commands.setup.dialog import AccountLook, World
from marsshot.commands.setup.setup import run_setup
from marsshot.commands.setup.world import Venues
from marsshot.config.keys_file import keys_beside
from marsshot.config.loader import read_settings
from marsshot.config.secret_values import SECRET_VARIABLES
from marsshot.config.settings import Settings
from marsshot.core import catalog
from marsshot.core.catalog import Catalog, LocalizedText
from marsshot.core.errors import InputError, TemporaryError
from marsshot.monitoring.telegram_api import TelegramRefusedError
from tests.helpers.french_text import plain
from tests.helpers.process_harness import ProcessHarness, open_process_harness

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = (ROOT / "config.yaml").read_text(encoding="utf-8")
CTRL_C = object()
TOKEN = "123456789:" + "A" * 35
RIGHTS = {"ipRestrict": True, "enableReading": True, "enableWithdrawals": False, "enableSpotAndMarginTrading": True}


class ScriptedScreen:
    """Types what it was given, and keeps what it was shown."""

    def __init__(self, *typed: object) -> None:
        self._typed = list(typed)
        self.lines: list[str] = []

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def say(self, line: str) -> None:
        self.lines.append(line)

    def ask(self, question: str) -> str:
        self.lines.append(question)
        if not self._typed:
            raise EOFError
        typed = self._typed.pop(0)
        if typed is CTRL_C:
            raise KeyboardInterrupt
        return str(typed)

    ask_hidden = ask


class StubWorld:
    """Venues without a wire."""

    def __init__(self, suggestion: Sequence[str] = ("SOL", "LINK"), free: str = "500") -> None:
        self.suggestion, self.free = suggestion, Decimal(free)
        self.asked = 0

    def account(self, _settings: Settings, _catalog: Catalog) -> AccountLook:
        return AccountLook([], self.free)

    def tokens(self, _settings: Settings, _catalog: Catalog) -> Sequence[str]:
        if not self.suggestion:
            raise TemporaryError(LocalizedText("paper.no_time"))
        return self.suggestion

    def telegram_name(self, settings: Settings) -> str:
        if settings.telegram.token.get_secret_value() != TOKEN:
            raise TelegramRefusedError(401)
        return "my_mars_bot"

    def telegram_chat(self, _settings: Settings) -> tuple[int, str] | None:
        self.asked += 1
        return (987654321, "Zoé") if self.asked > 1 else None


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in (*SECRET_VARIABLES, "MARSSHOT_COMMAND"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setitem(catalog._names, "exchange", "Binance")  # what setup names for its process is this test's alone
    monkeypatch.setattr("marsshot.commands.setup.setup.run_check", lambda settings: 0)
    return tmp_path


def set_up(folder: Path, *typed: object, world: World | None = None) -> tuple[int, ScriptedScreen]:
    screen = ScriptedScreen(*typed)
    return run_setup(folder / "config.yaml", screen, world or StubWorld()), screen


PAPER = ("en", "paper", "", "2", "binance", "", "1 000,50", "", "Europe/Paris", "yes")
LIVE = ("", "live", "", "", "the-key", "the-secret", "binance", "sol, link", "250", "", "", "yes")


def test_from_nothing_to_paper_in_a_few_answers(folder: Path) -> None:
    code, screen = set_up(folder, *PAPER)
    assert code == 0, screen.text
    settings = read_settings(folder / "config.yaml")
    assert (settings.mode, settings.quote_asset, settings.data_source) == ("paper", "USDC", "binance")
    assert settings.tokens_daily == ("SOL", "LINK"), "the demo's are other coins today: the suggestion is taken"
    assert settings.strategy.capital_initial == Decimal("1000.50")
    assert settings.timezone == "Europe/Paris"


def test_all_that_was_not_answered_stays_to_the_letter(folder: Path) -> None:
    set_up(folder, *PAPER)
    written = (folder / "config.yaml").read_text(encoding="utf-8")
    lost = set(SHIPPED.splitlines()) - set(written.splitlines())
    tokens = {f"  - {token}" for token in ("ADA", "BNB", "DOGE", "DOT", "LTC", "LUNA", "MATIC", "SOL", "UNI", "XRP")}
    keys = ("mode:", "quote_asset:", "data_source:", "timezone:", "language:", "  capital_initial:", "  - LINK")
    assert {line for line in lost - tokens if not line.startswith(keys)} == set()
    assert "# in quote asset; what the bot may use" in written


def test_secrets_go_into_a_file_for_its_owner_alone_and_into_no_line(folder: Path) -> None:
    code, screen = set_up(folder, *LIVE)
    assert code == 0, screen.text
    keys = folder / "keys.env"
    assert keys.stat().st_mode & 0o777 == 0o600
    assert keys_beside(keys) == {"BINANCE_API_KEY": "the-key", "BINANCE_API_SECRET": "the-secret"}
    assert read_settings(folder / "config.yaml").binance_api.api_key.get_secret_value() == "the-key"
    assert not {"the-key", "the-secret"} & set(screen.text.replace('"', " ").split())
    assert "the-key" not in (folder / "config.yaml").read_text(encoding="utf-8")


def test_a_key_in_the_environment_wins_over_the_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BINANCE_API_KEY", "another")
    _, screen = set_up(folder, *LIVE)
    assert "win over that file: BINANCE_API_KEY" in screen.text
    assert read_settings(folder / "config.yaml").binance_api.api_key.get_secret_value() == "another"


@pytest.mark.slow
@pytest.mark.parametrize("answers", [PAPER, LIVE])
def test_ctrl_c_at_any_question_leaves_the_files_as_they_were(folder: Path, answers: tuple[object, ...]) -> None:
    (folder / "config.yaml").write_text(SHIPPED, encoding="utf-8")
    (folder / "keys.env").write_text("LUNARCRUSH_API_KEY='x'\n", encoding="utf-8")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    for asked in range(len(answers)):
        for end in ([CTRL_C], []):
            code, screen = set_up(folder, *answers[:asked], *end)
            assert code == 1
            assert screen.lines[-1] == "Nothing was changed."
            assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_no_at_the_end_changes_nothing(folder: Path) -> None:
    assert set_up(folder, *PAPER[:-1], "no")[0] == 1
    assert list(folder.iterdir()) == []


def test_a_second_run_changes_one_thing_and_nothing_else(folder: Path) -> None:
    set_up(folder, *LIVE)
    before = (folder / "config.yaml").read_text(encoding="utf-8")
    keys = (folder / "keys.env").read_bytes()
    code, screen = set_up(folder, "8", "300", "", "yes")
    assert code == 0, screen.text
    after = (folder / "config.yaml").read_text(encoding="utf-8")
    changed = [pair for pair in zip(before.splitlines(), after.splitlines(), strict=True) if pair[0] != pair[1]]
    assert [(old.split()[:2], new.split()[:2]) for old, new in changed] == [
        (["capital_initial:", "250"], ["capital_initial:", "300"])
    ]
    assert (folder / "keys.env").read_bytes() == keys


def test_a_second_run_without_a_change_writes_nothing(folder: Path) -> None:
    set_up(folder, *PAPER)
    assert set_up(folder, "")[0] == 1


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (("fr ançais",), "one of en, fr is needed"),
        (("en", "money"), "one of demo, paper, live is needed"),
        (("en", "paper", "kraken"), "one of binance, bitvavo is needed"),
        (("en", "paper", "1", "5"), "one of USDT"),
        (("en", "paper", "", "1", "binance", "SOL, so-l"), "tokens are needed"),
        (("en", "paper", "", "1", "binance", "USDT"), "USDT"),
        (("en", "paper", "", "1", "binance", "SOL", "a lot"), "an amount above 0"),
        (("en", "paper", "", "1", "binance", "SOL", "-5"), "an amount above 0"),
        (("en", "paper", "", "1", "binance", "SOL", "1,000"), "an amount above 0"),
        (("en", "paper", "", "1", "binance", "SOL", "100", "", "Mars/Olympus"), "a time zone's name"),
    ],
)
def test_what_cannot_be_is_told_and_asked_again(folder: Path, wrong: tuple[str, ...], told: str) -> None:
    _, screen = set_up(folder, *wrong)
    assert told in screen.text
    assert screen.lines[-3].startswith("["), "the same question again"


def test_more_than_the_account_has_is_asked_again(folder: Path) -> None:
    answers = [*LIVE[:8], "501", "500", "", "", "yes"]
    code, screen = set_up(folder, *answers)
    assert code == 0
    assert "500.00 USDT free" in screen.text
    assert read_settings(folder / "config.yaml").strategy.capital_initial == 500


def test_without_a_network_the_tokens_are_asked_again(folder: Path) -> None:
    code, screen = set_up(folder, *PAPER[:6], "SOL", *PAPER[6:], world=StubWorld(()))
    assert (code, "type those that you want" in screen.text) == (0, True)
    assert screen.text.count("[?]") == 2, "what Enter does is what stands in brackets"
    assert read_settings(folder / "config.yaml").tokens_daily == ("SOL",)


def test_telegram_is_found_by_the_first_message(folder: Path) -> None:
    set_up(folder, *PAPER)
    wrong = TOKEN.replace("A", "B")
    code, screen = set_up(folder, "8", "no token", wrong, TOKEN, "", "", "yes", "", "yes")
    assert code == 0, screen.text
    assert "Nobody has written to @my_mars_bot yet" in screen.text
    assert "Zoé has written" in screen.text
    settings = read_settings(folder / "config.yaml")
    assert settings.telegram.is_set
    assert keys_beside(folder / "keys.env") == {"TELEGRAM_TOKEN": TOKEN, "TELEGRAM_CHAT_ID": "987654321"}


def test_telegram_may_be_left_for_later(folder: Path) -> None:
    set_up(folder, *PAPER)
    assert set_up(folder, "8", TOKEN, "later", "", "yes")[0] == 0
    assert keys_beside(folder / "keys.env") == {"TELEGRAM_TOKEN": TOKEN}


def test_in_french_to_the_last_line(folder: Path) -> None:
    code, screen = set_up(folder, "fr", *PAPER[1:-1], "oui")
    assert code == 0
    french = plain(screen.text[screen.text.index("Que doit faire") :])
    assert "Rien" not in french
    assert "L'écrire ? (oui/non)" in french
    assert not {"the", "write", "which", "is", "of"} & set(french.replace("'", " ").split())


def test_in_a_container_it_says_what_to_edit(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARSSHOT_COMMAND", "docker compose exec marsshot marsshot")
    with pytest.raises(InputError, match="deploy/keys"):
        set_up(folder)


def test_on_a_server_the_keys_go_where_the_service_reads_them(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = folder / "etc" / "keys"
    keys.parent.mkdir()
    keys.write_text((ROOT / "deploy" / "keys.example").read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr("marsshot.commands.setup.setup.SERVICE_KEYS", keys)
    monkeypatch.setenv("MARSSHOT_COMMAND", "marsshot")
    assert set_up(folder, *LIVE)[0] == 0
    assert keys_beside(keys) == {"BINANCE_API_KEY": "the-key", "BINANCE_API_SECRET": "the-secret"}
    assert keys.read_text(encoding="utf-8").count("BINANCE_API_KEY") == 1
    assert "#LUNARCRUSH_API_KEY=" in keys.read_text(encoding="utf-8")


# --------------------------------------------------------------------------- at the stand-in's account


@pytest.fixture
def harness(folder: Path) -> Iterator[ProcessHarness]:
    with open_process_harness(folder) as harness:
        yield harness


def grant(harness: ProcessHarness, **changes: bool) -> None:
    body = json.dumps(RIGHTS | changes)
    harness.market.faults.add(
        service="binance", match="apiRestrictions", kind="status", times=-1, status=200, body=body
    )


def may_withdraw(harness: ProcessHarness) -> None:
    grant(harness, enableWithdrawals=True)


def may_not_trade(harness: ProcessHarness) -> None:
    grant(harness, enableSpotAndMarginTrading=False)


def unknown_key(harness: ProcessHarness) -> None:
    harness.market.api_key = "another"


@pytest.mark.parametrize(
    ("trouble", "told"),
    [(may_withdraw, "THE KEY MAY WITHDRAW"), (may_not_trade, "may not trade"), (unknown_key, "key")],
)
def test_a_key_that_may_not_do_its_work_is_asked_again(
    harness: ProcessHarness, trouble: Callable[[ProcessHarness], None], told: str
) -> None:
    secret = harness.market.api_secret
    typed = harness.market.api_key
    trouble(harness)
    code, screen = set_up(harness.folder, "5", typed, secret, world=Venues())
    assert (code, told in screen.text) == (1, True), screen.text
    assert not (harness.folder / "keys.env").exists()


def test_a_key_that_may_is_taken_and_told(harness: ProcessHarness) -> None:
    grant(harness)
    code, screen = set_up(
        harness.folder, "5", harness.market.api_key, harness.market.api_secret, "", "yes", world=Venues()
    )
    assert code == 0, screen.text
    assert "may trade, may not withdraw, works from your addresses only" in screen.text
    assert os.stat(harness.folder / "keys.env").st_mode & 0o077 == 0


# --------------------------------------------------------------------------- at Bitvavo

EURO = ("en", "live", "2", "the-key", "the-secret", "bitvavo", "sol, link", "250", "", "", "yes")


def test_another_exchange_brings_its_money_and_its_keys(folder: Path) -> None:
    code, screen = set_up(folder, *EURO)
    assert code == 0, screen.text
    settings = read_settings(folder / "config.yaml")
    assert (settings.exchange, settings.quote_asset, settings.data_source) == ("bitvavo", "EUR", "bitvavo")
    assert "Bitvavo" in screen.text
    assert "key and the secret of Binance" not in screen.text
    assert "How much EUR may it use?" in screen.text
    assert keys_beside(folder / "keys.env") == {"BITVAVO_API_KEY": "the-key", "BITVAVO_API_SECRET": "the-secret"}


def test_the_same_exchange_again_leaves_its_money_as_it_is(folder: Path) -> None:
    set_up(folder, *PAPER)
    assert set_up(folder, "3", "binance", "", "yes")[0] == 0
    assert read_settings(folder / "config.yaml").quote_asset == "USDC"
    assert set_up(folder, "3", "bitvavo", "", "yes")[0] == 0
    assert read_settings(folder / "config.yaml").quote_asset == "EUR"
    assert set_up(folder, "3", "1", "", "yes")[0] == 0
    assert read_settings(folder / "config.yaml").quote_asset == "USDT"


def test_the_list_shows_the_capital_of_the_file_and_another_exchange_has_another_balance(folder: Path) -> None:
    set_up(folder, *LIVE)
    more = read_settings(folder / "config.yaml").strategy.capital_initial + 1
    typed = ("5", "k", "s", "3", "bitvavo", "7", f"{more:f}", "", "yes")
    code, screen = set_up(folder, *typed, world=StubWorld(free="1"))
    assert code == 0, screen.text
    assert "The account has" not in "".join(screen.lines[-30:])
    assert [line for line in screen.lines if "capital: 1.00" in line] == []
    assert read_settings(folder / "config.yaml").strategy.capital_initial == more


@pytest.mark.parametrize(("free", "taken"), [("250.129", "250.12"), ("1000", "1000.0"), ("0", "1000.0")])
def test_without_an_answer_the_capital_is_not_more_than_what_is_free(folder: Path, free: str, taken: str) -> None:
    code, screen = set_up(folder, *EURO[:7], "", "", "", "yes", world=StubWorld(free=free))
    assert code == 0, screen.text
    assert f"{Decimal(free).quantize(Decimal('0.01')):,} EUR free" in screen.text
    assert read_settings(folder / "config.yaml").strategy.capital_initial == Decimal(taken)


def test_at_the_host_of_test_money_the_first_line_says_so(folder: Path) -> None:
    text = SHIPPED.replace("mode: demo", "mode: live").replace(
        "https://api.binance.com", "https://demo-api.binance.com"
    )
    (folder / "config.yaml").write_text(text, encoding="utf-8")
    _, screen = set_up(folder)
    assert screen.lines[0].startswith("TEST MONEY")
    assert " 2 mode: live" in screen.text


@pytest.fixture
def at_bitvavo(harness: ProcessHarness) -> ProcessHarness:
    harness.config |= {"exchange": "bitvavo", "bitvavo": {"base_url": harness.url}}
    harness.write_config()
    harness.market.bitvavo.engine.free.update(EUR=Decimal(300))
    return harness


@pytest.mark.parametrize(
    ("rights", "code", "told"),
    [
        ({"view", "trade"}, 0, "the answer shows no right to withdraw; Bitvavo does not tell whether it works from"),
        ({"view", "trade", "withdraw"}, 0, "the answer shows a right to withdraw"),
        ({"view"}, 1, "no right to trade"),
        ({"trade"}, 1, "View"),
    ],
)
def test_what_bitvavo_tells_of_the_key_is_told_at_once(
    at_bitvavo: ProcessHarness, rights: set[str], code: int, told: str
) -> None:
    at_bitvavo.market.bitvavo.rights = rights
    typed = (at_bitvavo.market.api_key, at_bitvavo.market.api_secret)
    found, screen = set_up(at_bitvavo.folder, "4", *typed, "", "yes", world=Venues())
    assert found == code, screen.text
    assert told in screen.text
    if code == 0:
        assert "300.00 EUR free" in screen.text
        assert "Bitvavo key: " in screen.text
        assert "First order" not in screen.text, "that is check's to say"


def test_a_key_that_bitvavo_does_not_know_is_asked_again(at_bitvavo: ProcessHarness) -> None:
    code, screen = set_up(at_bitvavo.folder, "4", "another", "secret", world=Venues())
    assert code == 1
    assert "look at the key at Bitvavo" in screen.text
    assert not (at_bitvavo.folder / "keys.env").exists()


# --------------------------------------------------------------------------- which tokens


@pytest.mark.parametrize(("exchange", "quote"), [("binance", "USDT"), ("bitvavo", "EUR")])
def test_the_most_traded_tokens_of_the_exchange_are_suggested_where_coinbase_agrees(
    folder: Path, exchange: str, quote: str
) -> None:
    market = EmbeddedMarket(clock=time.time, shift_days=(datetime.now(UTC).date() - date(2021, 8, 20)).days)
    market.set_coinbase_price("SOL", "1")
    with MarketServer(market) as server:
        text = re.sub(r'"https://[a-z.-]+"', f'"{server.url}"', SHIPPED)
        text = text.replace("exchange: binance", f"exchange: {exchange}").replace("USDT\n", f"{quote}\n")
        (folder / "config.yaml").write_text(text, encoding="utf-8")
        found = Venues().tokens(read_settings(folder / "config.yaml"), Catalog("en"))
    assert {"BTC", "ETH", "ADA"} <= set(found)
    assert "SOL" not in found
    assert market.requests["binance" if exchange == "bitvavo" else "bitvavo"] == 0
