"""`main.py check`: a line for each thing that the bot needs: green when it is well, red with a remedy when not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import main
from marsshot.bot.control_files import Control
from marsshot.config.loader import read_settings
from tests.helpers.process_harness import House, open_house

RIGHTS = {"ipRestrict": True, "enableReading": True, "enableWithdrawals": False, "enableSpotAndMarginTrading": True}


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.chdir(tmp_path)
    with open_house(tmp_path) as house:
        house.config["lunarcrush"]["requests_per_minute"] = 10_000
        house.write_config()
        house.put_model()
        yield house


def grant(house: House, **changes: Any) -> None:
    body = json.dumps(RIGHTS | changes)
    house.market.faults.add(service="binance", match="apiRestrictions", kind="status", times=-1, status=200, body=body)


class Report:
    def __init__(self, code: int, out: str) -> None:
        self.code, self.out = code, out
        marks = ("OK", "NOTE", "MEND", "À FAIRE")
        self.lines: dict[str, tuple[str, str]] = {}
        for line in out.splitlines():
            mark = next((mark for mark in marks if line.startswith(f"{mark} ")), "")
            subject, _, told = line.removeprefix(mark).strip().partition(": ")
            subject = subject.strip()
            if mark and self.lines.get(subject, ("OK", ""))[0] == "OK":
                self.lines[subject] = (mark, told)

    def marked(self, mark: str) -> set[str]:
        return {subject for subject, (one, _) in self.lines.items() if one == mark}


@pytest.fixture
def check(house: House, capsys: pytest.CaptureFixture[str]) -> Any:
    def run(*arguments: str) -> Report:
        capsys.readouterr()
        code = main.main(["check", *arguments])
        return Report(code, capsys.readouterr().out)

    return run


def test_when_all_is_well_it_says_so_and_changes_nothing(house: House, check: Any) -> None:
    grant(house)
    house.put_model(trained_at=datetime.now(UTC).isoformat())
    before = {path: path.read_bytes() for path in house.folder.iterdir() if path.is_file()}
    report = check()
    assert report.code == 0, report.out
    assert report.marked("MEND") == report.marked("NOTE") == set()
    subjects = {"settings", "keys", "disk", "book", "buying", "daily pass", "clock", "account", "Binance key", "model"}
    assert subjects | {"ADA", "DOT", "LunarCrush", "order sizes"} == report.marked("OK")
    assert report.out.endswith("All is well.\n")
    after = {path: path.read_bytes() for path in house.folder.iterdir() if path.is_file() and path.suffix != ".lock"}
    assert after == before
    assert house.traded() == []


def test_in_french(house: House, check: Any) -> None:
    grant(house, enableWithdrawals=True)
    house.config["language"] = "fr"
    house.write_config()
    report = check()
    assert report.code == 1
    mark, told = report.lines["clé Binance"]
    assert mark == "À FAIRE"
    assert told.startswith("LA CLÉ PERMET LES RETRAITS")
    assert "MAINTENANT" in told
    assert report.out.endswith("À réparer : 1\n")


@pytest.mark.parametrize(
    ("changes", "mark", "text"),
    [
        ({"enableWithdrawals": True}, "MEND", "THE KEY MAY WITHDRAW"),
        ({"enableSpotAndMarginTrading": False}, "MEND", "may not trade"),
        ({"ipRestrict": False}, "NOTE", "from any address"),
        ({"enableWithdrawals": "no"}, "NOTE", "cannot be told"),
    ],
)
def test_what_the_key_may_do(house: House, check: Any, changes: dict[str, Any], mark: str, text: str) -> None:
    grant(house, **changes)
    report = check()
    assert report.lines["Binance key"][0] == mark
    assert text in report.lines["Binance key"][1]
    assert report.code == (1 if mark == "MEND" else 0)


def test_where_binance_does_not_say_what_the_key_may_do_that_is_no_fault(check: Any) -> None:
    report = check()
    assert report.lines["Binance key"][0] == "NOTE"
    assert report.code == 0


def test_in_paper_mode_no_key_of_binance_is_needed_or_shown(house: House, check: Any) -> None:
    house.config |= {"mode": "paper", "binance_api": {"base_url": house.url}}
    house.write_config()
    report = check()
    assert report.code == 0, report.out
    assert not {"Binance key", "account"} & report.lines.keys()


def not_permitted(house: House) -> None:
    house.market.exchange.can_trade = False


def clock_is_wrong(house: House) -> None:
    real = house.market.clock
    house.market.clock = lambda: real() + 5


def another_history(house: House) -> None:
    house.market.set_price("ADA", "30")


def coinbase_means_another(house: House) -> None:
    body = '{"data":{"amount":"77","base":"ADA","currency":"USD"}}'
    house.market.faults.add(service="coinbase", match="ADA-USD", kind="status", times=-1, status=200, body=body)


def no_keys(house: House) -> None:
    house.config["binance_api"]["api_secret"] = ""
    house.write_config()


def little_money(house: House) -> None:
    house.market.exchange.free["USDT"] = Decimal(3)


def broken_book(house: House) -> None:
    (house.folder / "bot_state.json").write_text("{")


def no_model(house: House) -> None:
    (house.folder / "model.pkl").unlink()


def missing_coins(house: House) -> None:
    main.main(["intraday"])
    house.hold_ada()
    house.market.exchange.free["ADA"] -= 100


def unknown_at_lunarcrush(house: House) -> None:
    house.config["symbols"] = {"ADA": {"lunarcrush": "NOSUCHCOIN"}}
    house.write_config()


def lunarcrush_refuses(house: House) -> None:
    house.market.faults.add(service="lunarcrush", match="", kind="status", times=-1, status=401)


FAULTS: dict[str, tuple[Any, str, str]] = {
    "account": (not_permitted, "account", "may not trade"),
    "clock": (clock_is_wrong, "clock", "s behind Binance"),
    "another coin at LunarCrush": (another_history, "ADA", "too far apart"),
    "unknown at LunarCrush": (unknown_at_lunarcrush, "ADA", "name it under symbols"),
    "another coin at Coinbase": (coinbase_means_another, "ADA", "Coinbase's price is too far from Binance's"),
    "no pair": (lambda house: house.market.delist("ADAUSDT"), "ADA", "does not know ADAUSDT"),
    "halted": (lambda house: house.market.set_status("ADAUSDT", "HALT"), "ADA", "takes no orders"),
    "keys": (no_keys, "keys", "missing: binance_api.api_secret"),
    "capital": (little_money, "order sizes", "too little for one order"),
    "book": (broken_book, "book", "is not JSON"),
    "model": (no_model, "model", "there is no such file"),
    "balances": (missing_coins, "book and account", "the book has 400, Binance has 300"),
    "LunarCrush's key": (lunarcrush_refuses, "LunarCrush", "key"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_has_its_red_line_with_a_remedy(house: House, check: Any, fault: str) -> None:
    bring_about, subject, text = FAULTS[fault]
    bring_about(house)
    report = check()
    assert report.code == 1
    mark, told = report.lines[subject]
    assert mark == "MEND", report.out
    assert text in told
    assert "→ " in told
    assert report.marked("MEND") == {subject}, "nothing else is blamed"


def test_when_binance_is_down_that_is_the_red_line(house: House, check: Any) -> None:
    house.market.faults.add(service="binance", match="", kind="status", times=-1, status=503)
    report = check()
    assert report.code == 1
    assert report.marked("MEND") == {"Binance"}


def test_a_disk_without_room_is_told(house: House, check: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("marsshot.commands.check.FREE_BYTES_NEEDED", 10**18)
    assert check().lines["disk"][0] == "MEND"


@pytest.mark.parametrize(("days", "mark"), [(29, "OK"), (31, "NOTE")])
def test_a_model_grows_old(house: House, check: Any, days: int, mark: str) -> None:
    house.put_model(trained_at=(datetime.now(UTC) - timedelta(days=days)).isoformat())
    assert check().lines["model"][0] == mark


def test_a_limit_that_is_used_up_leaves_tokens_out_and_says_how_to_ask_them(house: House, check: Any) -> None:
    house.config["lunarcrush"]["requests_per_minute"] = 3
    house.write_config()
    report = check()
    mark, told = report.lines["LunarCrush"]
    assert (mark, report.code) == ("NOTE", 0)
    assert "the limit of 3 requests a minute is used up: DOT" in told
    assert "check --all" in told
    assert "LunarCrush not asked" in report.lines["DOT"][1]
    house.config["lunarcrush"]["requests_per_minute"] = 10_000
    house.write_config()
    assert check("--all").lines["LunarCrush"][0] == "OK"


def test_capital_that_is_enough_for_some_is_a_note(house: House, check: Any) -> None:
    house.market.exchange.free["USDT"] = Decimal(8)
    mark, told = check().lines["order sizes"]
    assert mark == "NOTE"
    assert "enough for 1 of them at once" in told


def test_capital_that_is_all_in_positions_is_a_note(house: House, check: Any) -> None:
    main.main(["intraday"])
    house.hold_ada()
    house.market.exchange.free["USDT"] = Decimal(1)
    mark, told = check().lines["order sizes"]
    assert (mark, "no purchase before a sale" in told) == ("NOTE", True)


def test_a_token_that_coinbase_does_not_have_is_a_note(house: House, check: Any) -> None:
    house.market.coinbase.unlisted.add("ADA")
    mark, told = check().lines["ADA"]
    assert (mark, "Coinbase has no price for it" in told) == ("NOTE", True)


def test_a_pause_is_a_note(house: House, check: Any) -> None:
    Control(read_settings(house.folder / "config.yaml")).pause("ADA is missing")
    assert "ADA is missing" in check().lines["buying"][1]


def test_the_demo_is_checked_at_its_own_market(house: House, check: Any) -> None:
    house.config["mode"] = "demo"
    house.write_config()
    report = check()
    assert report.marked("MEND") == {"model"}
    assert report.lines["keys"][1] == "none needed in demo mode"


def test_without_btc_no_token_has_a_score_and_that_is_red(house: House, check: Any) -> None:
    house.market.faults.add(service="lunarcrush", match="/BTC/", kind="status", times=-1, status=404, body="{}")
    report = check()
    assert report.marked("MEND") == {"BTC"}, report.out
