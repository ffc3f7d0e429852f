"""Binance's rehearsals with test money: told everywhere, files of their own, no call that only the real host has."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

import main
from marsshot.config.bot_files import BOOK, MODEL
from marsshot.config.settings import Settings
from marsshot.core.catalog import Catalog, Language
from marsshot.core.errors import InputError
from marsshot.exchange.binance import exchange as binance_exchange
from marsshot.infra.bounded_http import BoundedAdapter
from marsshot.model.integrity import own_or_live_file
from marsshot.monitoring.messages import Message
from marsshot.monitoring.messenger import message_to_send
from marsshot.telegram.answers import answer
from marsshot.telegram.chat_commands import ChatCommand
from tests.helpers.builders import some_settings
from tests.helpers.dashboard_harness import open_dashboard
from tests.helpers.french_text import plain
from tests.helpers.process_harness import ProcessHarness, open_process_harness

DEMO, TESTNET, REAL = "https://demo-api.binance.com", "https://testnet.binance.vision", "https://api.binance.com"
TOLD = {
    "en": "TEST MONEY: nothing that is shown here is worth anything (demo-api.binance.com)",
    "fr": "ARGENT FICTIF : rien de ce qui s'affiche ici n'a de valeur (demo-api.binance.com)",
}


asked: list[str] = []


def settings_at(base_url: str, mode: str = "live", **changes: Any) -> Settings:
    return some_settings(mode=mode, binance_api={"base_url": base_url}, **changes)


@pytest.fixture
def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ProcessHarness]:
    """The program in a folder whose Binance is Demo Mode's host; it and the test network are played by the stand-in."""
    monkeypatch.chdir(tmp_path)
    with open_process_harness(tmp_path) as harness:
        asked.clear()

        class AtTheStandIn(BoundedAdapter):
            def send(self, request: requests.PreparedRequest, **how: Any) -> requests.Response:  # type: ignore[override]
                asked.append(str(request.url))
                request.url = str(request.url).replace(DEMO, harness.url).replace(TESTNET, harness.url)
                return super().send(request, **how)

        monkeypatch.setattr(binance_exchange, "SharedContextAdapter", AtTheStandIn)
        harness.config["binance_api"]["base_url"] = DEMO
        harness.config["lunarcrush"]["requests_per_minute"] = 10_000
        harness.write_config()
        harness.write_model()
        yield harness


@pytest.mark.parametrize("base_url", [DEMO, TESTNET, f"{DEMO}:443", DEMO.upper().replace("HTTPS", "https")])
def test_live_at_a_host_of_test_money_is_a_mode_of_its_own(base_url: str) -> None:
    settings = settings_at(base_url)
    assert settings.mode == "test"
    assert settings.file(BOOK) == Path("bot_state.test.json")
    assert "TEST MONEY" in settings.money_notice


@pytest.mark.parametrize(
    "base_url", [REAL, "https://api1.binance.com", "https://demo-api.binance.com.example.org", "https://binance.vision"]
)
def test_every_other_host_is_real_money(base_url: str) -> None:
    settings = settings_at(base_url)
    assert (settings.mode, settings.money_notice, settings.file(BOOK)) == ("live", "", Path(BOOK))


def test_where_bitvavo_is_traded_at_binances_host_says_nothing_of_the_money() -> None:
    assert settings_at(DEMO, exchange="bitvavo").mode == "live"


def test_the_demo_goes_by_its_own_market_whatever_the_host() -> None:
    assert settings_at(DEMO, mode="demo").mode == "demo"


def test_paper_is_refused_at_a_host_of_test_money() -> None:
    with pytest.raises(InputError, match=r"demo-api\.binance\.com deals in test money"):
        settings_at(DEMO, mode="paper")


def test_no_file_says_the_mode_of_test_money_itself() -> None:
    with pytest.raises(InputError, match="one of 'demo', 'paper' or 'live'"):
        settings_at(REAL, mode="test")


def test_the_model_is_the_live_one_until_there_is_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(MODEL).touch()
    assert own_or_live_file(settings_at(DEMO), MODEL) == Path(MODEL)
    Path("model.test.pkl").touch()
    assert own_or_live_file(settings_at(DEMO), MODEL) == Path("model.test.pkl")


@pytest.mark.parametrize("language", ["en", "fr"])
def test_check_says_it_and_asks_nothing_that_the_host_does_not_have(
    harness: ProcessHarness, language: Language, capsys: pytest.CaptureFixture[str]
) -> None:
    harness.config["language"] = language
    harness.write_config()
    code = main.main(["check"])
    out = plain(capsys.readouterr().out)
    assert code == 0, out
    assert out.startswith(TOLD[language])
    assert plain(Catalog(language).text("check.key_of_test_money", host="demo-api.binance.com")) in out
    assert "bot_state.test.json" not in [path.name for path in harness.folder.iterdir()]
    assert [url for url in asked if url.startswith(f"{DEMO}/api/v3/account")]
    assert not [url for url in asked if "/sapi/" in url]


def test_prices_of_its_own_are_told_of_the_test_network_alone(
    harness: ProcessHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    main.main(["check"])
    assert "prices of its own" not in capsys.readouterr().out
    harness.config["binance_api"]["base_url"] = TESTNET
    harness.write_config()
    main.main(["check"])
    assert "prices of its own" in capsys.readouterr().out


def test_a_purchase_with_test_money_is_in_files_of_its_own_and_told_by_every_command(
    harness: ProcessHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(["daily"]) == 0
    assert harness.traded() == ["BUY ADA"]
    names = {path.name for path in harness.folder.iterdir()}
    assert {"bot_state.test.json", "trades.test.csv", "bot.test.log"} <= names
    assert not {"bot_state.json", "trades.csv", "bot.log"} & names
    for command in (["status"], ["report", "--week"], ["pause"]):
        capsys.readouterr()
        main.main(command)
        assert capsys.readouterr().out.startswith(TOLD["en"]), command
    capsys.readouterr()
    main.main(["status", "--json"])
    assert json.loads(capsys.readouterr().out)["mode"] == "test"


def test_real_money_does_not_find_the_book_of_test_money(
    harness: ProcessHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    main.main(["daily"])
    (harness.folder / "bot_state.test.json").rename(harness.folder / BOOK)
    harness.config["binance_api"]["base_url"] = harness.url
    harness.write_config()
    capsys.readouterr()
    assert main.main(["status"]) == 2
    assert "mode test" in capsys.readouterr().err


def test_an_archive_of_test_money_holds_its_model_and_is_refused_by_real_money(
    harness: ProcessHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    main.main(["daily"])
    assert main.main(["backup", "saved.tar"]) == 0
    with tarfile.open("saved.tar") as archive:
        assert {"bot_state.test.json", "model.pkl"} <= set(archive.getnames())
    newer = b"what the live bot has trained since"
    Path("model.pkl").write_bytes(newer)
    capsys.readouterr()
    assert main.main(["restore", "saved.tar"]) == 0
    assert capsys.readouterr().out.startswith("TEST MONEY")
    assert Path("model.pkl").read_bytes() == newer
    with tarfile.open("saved.tar") as archive:
        saved = archive.extractfile("model.pkl")
        assert saved is not None
        assert Path("model.test.pkl").read_bytes() == saved.read()
    harness.config["binance_api"]["base_url"] = harness.url
    harness.write_config()
    capsys.readouterr()
    assert main.main(["restore", "saved.tar"]) == 2
    assert "is of test money where the settings are for real money" in capsys.readouterr().err


@pytest.mark.parametrize("language", ["en", "fr"])
def test_every_page_on_the_phone_begins_with_it(harness: ProcessHarness, language: Language) -> None:
    main.main(["daily"])
    for base_url, begins in ((DEMO, True), (harness.url, False)):
        settings = settings_at(base_url, language=language)
        for command in (ChatCommand.STATUS, ChatCommand.POSITIONS):
            page = answer(settings, command, "", is_question=False)
            assert plain(page.texts[0]).startswith(TOLD[language]) is begins


@pytest.mark.parametrize(
    ("base_url", "title"), [(DEMO, "MarsShot (test money)"), (REAL, "MarsShot"), ("http://127.0.0.1:1", "MarsShot")]
)
def test_every_message_has_it_in_its_title(base_url: str, title: str) -> None:
    assert message_to_send(Message(title="MarsShot", body="Sold"), settings_at(base_url)).title == title


@pytest.mark.parametrize(("base_url", "badge"), [(DEMO, "Test money"), (REAL, "Live")])
def test_every_page_of_the_dashboard_has_its_badge(harness: ProcessHarness, base_url: str, badge: str) -> None:
    harness.config["binance_api"]["base_url"] = base_url
    harness.write_config()
    page = open_dashboard().get("/trades").text
    assert f">{badge}</span>" in page
    assert (TOLD["en"] in page) is (base_url == DEMO)
