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
from embedded_market.market_data.history import unix_day
from marsshot.bot.control_files import ControlFiles
from marsshot.commands.checking.check import _fault_of_midnight
from marsshot.commands.checking.findings import Level
from marsshot.config.loader import read_settings
from marsshot.core.catalog import Catalog
from tests.helpers.french_text import plain
from tests.helpers.process_harness import RECORDED_DAY, ProcessHarness, open_process_harness

RIGHTS = {"ipRestrict": True, "enableReading": True, "enableWithdrawals": False, "enableSpotAndMarginTrading": True}


@pytest.fixture
def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ProcessHarness]:
    monkeypatch.chdir(tmp_path)
    with open_process_harness(tmp_path) as harness:
        harness.config["lunarcrush"]["requests_per_minute"] = 10_000
        harness.write_config()
        harness.write_model()
        yield harness


def grant(harness: ProcessHarness, **changes: Any) -> None:
    body = json.dumps(RIGHTS | changes)
    harness.market.faults.add(
        service="binance", match="apiRestrictions", kind="status", times=-1, status=200, body=body
    )


class CheckReport:
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
def check(harness: ProcessHarness, capsys: pytest.CaptureFixture[str]) -> Any:
    def run(*arguments: str) -> CheckReport:
        capsys.readouterr()
        code = main.main(["check", *arguments])
        return CheckReport(code, capsys.readouterr().out)

    return run


def test_when_all_is_well_it_says_so_and_changes_nothing(harness: ProcessHarness, check: Any) -> None:
    grant(harness)
    harness.write_model(trained_at=datetime.now(UTC).isoformat())
    before = {path: path.read_bytes() for path in harness.folder.iterdir() if path.is_file()}
    report = check()
    assert report.code == 0, report.out
    assert report.marked("MEND") == set()
    assert report.marked("NOTE") == {"thresholds"}, (
        "a model of an earlier version does not tell how often they are reached"
    )
    subjects = {"settings", "keys", "disk", "book", "buying", "daily pass", "clock", "account", "Binance key", "model"}
    assert subjects | {"ADA", "DOT", "LunarCrush", "order sizes"} == report.marked("OK")
    assert report.out.endswith("All is well.\n")
    after = {path: path.read_bytes() for path in harness.folder.iterdir() if path.is_file() and path.suffix != ".lock"}
    assert after == before
    assert harness.traded() == []


def test_in_french(harness: ProcessHarness, check: Any) -> None:
    grant(harness, enableWithdrawals=True)
    harness.config["language"] = "fr"
    harness.write_config()
    report = check()
    assert report.code == 1
    mark, told = report.lines["clé Binance"]
    assert mark == "À FAIRE"
    assert told.startswith("LA CLÉ PERMET LES RETRAITS")
    assert "MAINTENANT" in told
    assert plain(report.out).endswith("À réparer : 1\n")


@pytest.mark.parametrize(
    ("changes", "mark", "text"),
    [
        ({"enableWithdrawals": True}, "MEND", "THE KEY MAY WITHDRAW"),
        ({"enableSpotAndMarginTrading": False}, "MEND", "may not trade"),
        ({"ipRestrict": False}, "NOTE", "from any address"),
        ({"enableWithdrawals": "no"}, "NOTE", "cannot be told"),
    ],
)
def test_what_the_key_may_do(
    harness: ProcessHarness, check: Any, changes: dict[str, Any], mark: str, text: str
) -> None:
    grant(harness, **changes)
    report = check()
    assert report.lines["Binance key"][0] == mark
    assert text in report.lines["Binance key"][1]
    assert report.code == (1 if mark == "MEND" else 0)


def test_where_binance_does_not_say_what_the_key_may_do_that_is_no_fault(check: Any) -> None:
    report = check()
    assert report.lines["Binance key"][0] == "NOTE"
    assert report.code == 0


def test_in_paper_mode_no_key_of_binance_is_needed_or_shown(harness: ProcessHarness, check: Any) -> None:
    harness.config |= {"mode": "paper", "binance_api": {"base_url": harness.url}}
    harness.write_config()
    report = check()
    assert report.code == 0, report.out
    assert not {"Binance key", "account"} & report.lines.keys()


def not_permitted(harness: ProcessHarness) -> None:
    harness.market.exchange.can_trade = False


def clock_is_wrong(harness: ProcessHarness) -> None:
    real = harness.market.clock
    harness.market.clock = lambda: real() + 5


def another_history(harness: ProcessHarness) -> None:
    harness.market.set_price("ADA", "30")


def lunarcrush_is_down(harness: ProcessHarness) -> None:
    harness.market.faults.add(service="lunarcrush", match="", kind="status", times=-1, status=503)


def lunarcrush_is_spent(harness: ProcessHarness) -> None:
    body = '{"error": "daily quota"}'
    harness.market.faults.add(service="lunarcrush", match="", kind="status", times=-1, status=429, body=body)


def coinbase_means_another(harness: ProcessHarness) -> None:
    body = '{"data":{"amount":"77","base":"ADA","currency":"USD"}}'
    harness.market.faults.add(service="coinbase", match="ADA-USD", kind="status", times=-1, status=200, body=body)


def no_keys(harness: ProcessHarness) -> None:
    harness.config["binance_api"]["api_secret"] = ""
    harness.write_config()


def little_money(harness: ProcessHarness) -> None:
    harness.market.exchange.free["USDT"] = Decimal(3)


def broken_book(harness: ProcessHarness) -> None:
    (harness.folder / "bot_state.json").write_text("{")


def no_model(harness: ProcessHarness) -> None:
    (harness.folder / "model.pkl").unlink()


def missing_coins(harness: ProcessHarness) -> None:
    main.main(["intraday"])
    harness.add_ada_position()
    harness.market.exchange.free["ADA"] -= 100


def unknown_at_lunarcrush(harness: ProcessHarness) -> None:
    harness.config["symbols"] = {"ADA": {"lunarcrush": "NOSUCHCOIN"}}
    harness.write_config()


def lunarcrush_refuses(harness: ProcessHarness) -> None:
    harness.market.faults.add(service="lunarcrush", match="", kind="status", times=-1, status=401)


BREAKAGES: dict[str, tuple[Any, str, str]] = {
    "account": (not_permitted, "account", "may not trade"),
    "clock": (clock_is_wrong, "clock", "s behind Binance"),
    "another coin at LunarCrush": (another_history, "ADA", "too far apart"),
    "unknown at LunarCrush": (unknown_at_lunarcrush, "ADA", "name it under symbols"),
    "another coin at Coinbase": (coinbase_means_another, "ADA", "Coinbase's price is too far from Binance's"),
    "no pair": (lambda harness: harness.market.delist("ADAUSDT"), "ADA", "does not know ADAUSDT"),
    "halted": (lambda harness: harness.market.set_status("ADAUSDT", "HALT"), "ADA", "takes no orders"),
    "keys": (no_keys, "keys", "missing: binance_api.api_secret"),
    "capital": (little_money, "order sizes", "too little for one order"),
    "book": (broken_book, "book", "is not JSON"),
    "model": (no_model, "model", "there is no such file"),
    "balances": (missing_coins, "book and account", "the book has 400, Binance has 300"),
    "LunarCrush's key": (lunarcrush_refuses, "LunarCrush", "key"),
    "LunarCrush is down": (lunarcrush_is_down, "LunarCrush", "look at the network"),
    "LunarCrush's quota": (lunarcrush_is_spent, "LunarCrush", "larger plan"),
}


@pytest.mark.parametrize("fault", BREAKAGES)
def test_each_fault_has_its_red_line_with_a_remedy(harness: ProcessHarness, check: Any, fault: str) -> None:
    bring_about, subject, text = BREAKAGES[fault]
    bring_about(harness)
    report = check()
    assert report.code == 1
    mark, told = report.lines[subject]
    assert mark == "MEND", report.out
    assert text in told
    assert "→ " in told
    assert report.marked("MEND") == {subject}, "nothing else is blamed"


def test_when_binance_is_down_that_is_the_red_line(harness: ProcessHarness, check: Any) -> None:
    harness.market.faults.add(service="binance", match="", kind="status", times=-1, status=503)
    report = check()
    assert report.code == 1
    assert report.marked("MEND") == {"Binance"}


def test_a_disk_without_room_is_told(harness: ProcessHarness, check: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("marsshot.commands.checking.check.FREE_BYTES_NEEDED", 10**18)
    assert check().lines["disk"][0] == "MEND"


@pytest.mark.parametrize(("days", "mark"), [(29, "OK"), (31, "NOTE")])
def test_a_model_grows_old(harness: ProcessHarness, check: Any, days: int, mark: str) -> None:
    harness.write_model(trained_at=(datetime.now(UTC) - timedelta(days=days)).isoformat())
    assert check().lines["model"][0] == mark


def test_a_limit_that_is_used_up_leaves_tokens_out_and_says_how_to_ask_them(
    harness: ProcessHarness, check: Any
) -> None:
    harness.config["lunarcrush"]["requests_per_minute"] = 3
    harness.write_config()
    report = check()
    mark, told = report.lines["LunarCrush"]
    assert (mark, report.code) == ("NOTE", 0)
    assert "the limit of 3 requests a minute is used up: DOT" in told
    assert "check --all" in told
    assert "LunarCrush not asked" in report.lines["DOT"][1]
    harness.config["lunarcrush"]["requests_per_minute"] = 10_000
    harness.write_config()
    assert check("--all").lines["LunarCrush"][0] == "OK"


def test_what_was_not_asked_is_never_green(harness: ProcessHarness, check: Any) -> None:
    lunarcrush_is_down(harness)
    report = check()
    assert {"ADA", "DOT"} <= report.marked("NOTE")
    assert "limit" not in report.out
    assert "--all" not in report.out


def test_asking_for_all_of_a_source_that_is_down_ends_soon_and_names_the_network(
    harness: ProcessHarness, check: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("marsshot.market_data.lunarcrush.ATTEMPTS", 1)
    lunarcrush_is_down(harness)
    report = check("--all")
    assert report.marked("MEND") == {"LunarCrush"}
    assert "look at the network" in report.lines["LunarCrush"][1]
    assert "symbols" not in report.out


@pytest.mark.parametrize(("price", "mark"), [("0.32", "NOTE"), ("0.09", "MEND")])
def test_a_fall_that_both_venues_tell_of_is_not_called_another_coin(
    harness: ProcessHarness, check: Any, price: str, mark: str
) -> None:
    close = Decimal(str(harness.market.history.coins["ADA"].bars[unix_day(RECORDED_DAY) - 1].close))
    harness.market.set_price("ADA", str(round(Decimal(price) * close, 5)))
    assert check().lines["ADA"][0] == mark


@pytest.mark.parametrize(("limit", "minute", "is_told"), [(4, 59, False), (3, 59, True), (2, 58, False), (1, 57, True)])
def test_the_last_token_must_be_asked_about_before_midnight(
    harness: ProcessHarness, limit: int, minute: int, is_told: bool
) -> None:
    harness.config["lunarcrush"]["requests_per_minute"] = limit
    harness.config["strategy"] |= {"daily_update_hour_utc": 23, "daily_update_minute_utc": minute}
    harness.write_config()
    settings = read_settings(harness.folder / "config.yaml")
    fault = _fault_of_midnight(settings, None, Catalog("en"))
    assert (fault is not None) is is_told
    if fault is not None:
        assert fault.level is Level.BAD
        assert fault.text.startswith(f"4 coins, of which {limit} can be asked about a minute, need {3 // limit} min")


def test_capital_that_is_enough_for_some_is_a_note(harness: ProcessHarness, check: Any) -> None:
    harness.market.exchange.free["USDT"] = Decimal(8)
    mark, told = check().lines["order sizes"]
    assert mark == "NOTE"
    assert "enough for 1 of them at once" in told


@pytest.mark.parametrize(("free", "mark"), [("24.99", "MEND"), ("25", "OK")])
def test_a_share_that_is_under_the_smallest_order_is_told(
    harness: ProcessHarness, check: Any, free: str, mark: str
) -> None:
    harness.config["strategy"]["max_share_per_token"] = 0.2  # of 25: the smallest order, 5
    harness.write_config()
    harness.market.exchange.free["USDT"] = Decimal(free)
    found, told = check().lines["order sizes"]
    assert found == mark
    assert ("max_share_per_token" in told) is (mark == "MEND")


def test_capital_that_is_all_in_positions_is_a_note(harness: ProcessHarness, check: Any) -> None:
    main.main(["intraday"])
    harness.add_ada_position()
    harness.market.exchange.free["USDT"] = Decimal(1)
    mark, told = check().lines["order sizes"]
    assert (mark, "no purchase before a sale" in told) == ("NOTE", True)


def test_a_token_that_coinbase_does_not_have_is_a_note(harness: ProcessHarness, check: Any) -> None:
    harness.market.coinbase.unlisted.add("ADA")
    mark, told = check().lines["ADA"]
    assert (mark, "Coinbase has no price for it" in told) == ("NOTE", True)


def test_a_pause_is_a_note(harness: ProcessHarness, check: Any) -> None:
    ControlFiles(read_settings(harness.folder / "config.yaml")).pause("ADA is missing")
    assert "ADA is missing" in check().lines["buying"][1]


def test_the_demo_is_checked_at_its_own_market(harness: ProcessHarness, check: Any) -> None:
    harness.config["mode"] = "demo"
    harness.write_config()
    report = check()
    assert report.marked("MEND") == {"model"}
    assert report.lines["keys"][1] == "none needed in demo mode"


def test_without_btc_no_token_has_a_score_and_that_is_red(harness: ProcessHarness, check: Any) -> None:
    harness.market.faults.add(service="lunarcrush", match="/BTC/", kind="status", times=-1, status=404, body="{}")
    report = check()
    assert report.marked("MEND") == {"BTC"}, report.out
