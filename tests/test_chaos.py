"""The proof by disasters: nothing is lost or doubled; and it can fail: each safeguard taken away is missed at once.

A sabotage takes one safeguard out of the product's own code; one of the first seeds must then end badly.
"""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

import chaos
from marsshot.chaos.price_lies import LIE_LASTS, PriceLies
from marsshot.chaos.run import run_seed
from marsshot.config.exchanges import EXCHANGE_FACTS, ExchangeName
from marsshot.core.catalog import load_texts
from tests.helpers.builders import ROOT
from tests.helpers.sabotages import AT_BITVAVO_ALONE, FOUND_AT_ONCE, RARELY_NOTICED, SABOTAGES, Sabotage, noticed_at

ENOUGH = 400  # seeds after which a sabotage must have been found


# --------------------------------------------------------------------------- the real thing


def _assert_clean(exchange: ExchangeName, seeds: range) -> None:
    for seed in seeds:
        result = run_seed(seed, exchange=exchange)
        assert result.violations.lines() == [], f"python chaos.py --exchange {exchange} --only {seed}"


@pytest.mark.parametrize("seeds", [range(5), pytest.param(range(5, 20), marks=pytest.mark.slow)], ids=["few", "more"])
@pytest.mark.parametrize("exchange", EXCHANGE_FACTS)
def test_nothing_is_lost_or_doubled(exchange: ExchangeName, seeds: range) -> None:
    _assert_clean(exchange, seeds)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(20, 120, 20))
@pytest.mark.parametrize("exchange", EXCHANGE_FACTS)
def test_nothing_is_lost_or_doubled_in_many_runs(exchange: ExchangeName, first: int) -> None:
    _assert_clean(exchange, range(first, first + 20))


@pytest.mark.parametrize("exchange", EXCHANGE_FACTS)
def test_a_seed_is_a_run_that_can_be_had_again(exchange: ExchangeName) -> None:
    one, other = run_seed(5, exchange=exchange, verbose=True), run_seed(5, exchange=exchange, verbose=True)
    assert one.timeline == other.timeline
    assert any(line.startswith("bot, ") for line in one.timeline)
    assert any(line.startswith("death") for line in one.timeline)


@pytest.mark.slow
def test_the_runs_see_every_kind_of_trouble() -> None:
    tally = chaos.Tally()
    for seed in range(60, 75):
        tally.add(run_seed(seed))
    kinds = "kill, power cut, wire fault, order fault, price fault, score fault, disk fault, clock jump, signal, owner"
    kinds += ", late price"
    assert set(kinds.split(", ")) <= tally.event_counts.keys()
    assert tally.orders > 5 * tally.runs
    assert tally.process_starts > 3 * tally.runs


def test_every_kind_of_trouble_has_its_words() -> None:
    sources = "".join(path.read_text() for path in (ROOT / "marsshot" / "chaos").rglob("*.py"))
    kinds = set(re.findall(r'record_event\("([a-z ]+)"', sources)) - {"death"}
    assert len(kinds) > 10
    assert {f"chaos.kind.{kind.replace(' ', '_')}" for kind in kinds} <= load_texts("fr").keys()


def _chaos(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "chaos.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)


@pytest.mark.parametrize(
    ("arguments", "name"), [((), "Binance"), pytest.param(("--exchange", "bitvavo"), "Bitvavo", marks=pytest.mark.slow)]
)
def test_the_command_counts_and_says_so(arguments: tuple[str, ...], name: str) -> None:
    done = _chaos("--runs", "2", "--seed", "500", "--jobs", "2", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith(f"2 runs at {name}, ")
    assert "losses 0, doubles 0, other breaches 0; " in done.stdout


def test_one_seed_is_told_as_a_story(capsys: pytest.CaptureFixture[str]) -> None:
    assert chaos.main(["--only", "3"]) == 0
    told = capsys.readouterr().out
    assert "bot, INFO: A new book is begun" in told
    assert told.endswith("nothing lost, nothing doubled, no rule broken\n")


@pytest.mark.parametrize("arguments", [["--runs", "0"], ["--jobs", "-1"], ["--only", "x"], ["--exchange", "kraken"]])
def test_wrong_usage_is_told_in_a_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        chaos.main(arguments)
    assert capsys.readouterr().err.splitlines()[-1].startswith(f"chaos.py: error: argument {arguments[0]}: ")


def test_one_venue_at_a_time_tells_an_untrue_price_of_a_token() -> None:
    lies, now = PriceLies(), datetime(2021, 2, 15, tzinfo=UTC)
    assert lies.try_to_lie("ADA", "Binance", now)
    assert lies.try_to_lie("ADA", "Binance", now)
    assert lies.try_to_lie("DOT", "Coinbase", now)
    assert not lies.try_to_lie("ADA", "Coinbase", now + LIE_LASTS - timedelta(seconds=1))
    assert lies.try_to_lie("ADA", "Coinbase", now + LIE_LASTS)
    assert not lies.try_to_lie("ADA", "Binance", now + LIE_LASTS)


def test_nobody_lies_of_a_token_that_has_become_another_coin() -> None:
    lies = PriceLies()
    lies.spared.add("ADA")
    assert not lies.try_to_lie("ADA", "Binance", datetime(2021, 2, 15, tzinfo=UTC))


# --------------------------------------------------------------------------- one safeguard less


def _is_found(exchange: ExchangeName) -> bool:
    return any(not run_seed(seed, exchange=exchange).violations.is_clean for seed in range(ENOUGH))


@pytest.mark.parametrize("sabotage", [*SABOTAGES, *RARELY_NOTICED, *AT_BITVAVO_ALONE], ids=lambda one: one.__name__)
def test_each_sabotage_takes_away_what_is_there(sabotage: Sabotage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that no run of the tests tries, too: code that moves would leave them without an effect."""
    sabotage(monkeypatch)


@pytest.mark.parametrize("exchange", ["binance", pytest.param("bitvavo", marks=pytest.mark.slow)])
@pytest.mark.parametrize("sabotage", FOUND_AT_ONCE, ids=lambda sabotage: sabotage.__name__)
def test_a_missing_safeguard_is_found_at_once(
    sabotage: Sabotage, exchange: ExchangeName, monkeypatch: pytest.MonkeyPatch
) -> None:
    sabotage(monkeypatch)
    assert _is_found(exchange)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("exchange", "sabotage"),
    [(exchange, one) for exchange in EXCHANGE_FACTS for one in noticed_at(exchange)],
    ids=lambda one: getattr(one, "__name__", one),
)
def test_a_missing_safeguard_is_found(
    exchange: ExchangeName, sabotage: Sabotage, monkeypatch: pytest.MonkeyPatch
) -> None:
    sabotage(monkeypatch)
    assert _is_found(exchange)
