"""What a demo shows: what fits, whole; the newest trade and how to end it, always."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from rich.text import Text

from marsshot.core.catalog import Catalog, Language
from marsshot.core.decisions import Action, Decision
from marsshot.core.reasons import DecisionReason
from marsshot.demo.frame import Scene, frame
from marsshot.demo.lines import fitting, table, with_rest_counted
from marsshot.demo.story import NearMiss, Trade, near_misses, nearest_rule
from marsshot.demo.view import day_line
from marsshot.portfolio.ledger import new_book
from tests.helpers.builders import DAILY_RULES, EXIT_RULES, NOW, D, bought_at
from tests.helpers.french_text import is_french

SIZES = [(80, 24), (80, 12), (80, 4), (80, 3), (100, 30), (149, 40), (150, 40), (200, 50), (200, 12)]
NEWEST = Trade(
    stamp="15 Feb 00:30",
    is_purchase=False,
    symbol="MATIC",
    quote=D("1062.67"),
    price=D("1.85781"),
    reason="partial_take_profit",
    gain=D("12.345"),
)


def decision(symbol: str, score: str | None, *, held: bool, action: Action | None = None) -> Decision:
    return Decision(
        symbol=symbol,
        held=held,
        probability=None if score is None else D(score),
        action=action or (Action.KEEP if held else Action.LEAVE),
        reason=DecisionReason.AT_SELL_THRESHOLD if held else DecisionReason.BELOW_BUY_THRESHOLD,
    )


def a_scene(positions: int = 15, trades: int = 40) -> Scene:
    """A demo in full swing, with long numbers in it."""
    held = {f"COIN{n}": bought_at("0.000123456789", "98765432.1") for n in range(positions)}
    older = replace(NEWEST, symbol="OLD")
    return Scene(
        now=NOW,
        day=41,
        days=92,
        book=replace(new_book("demo", "USDT", D(1000), NOW), capital=D("1234567.89"), positions=held),
        prices={symbol: D("0.000123456789") * (n + 1) for n, symbol in enumerate(held)},
        btc_change=0.123,
        largest_fall=D("0.542"),
        trades=(NEWEST, *[older] * (trades - 1))[:trades],
        decisions=[decision(f"COIN{n}", f"0.{40 + n}", held=True) for n in range(positions)],
        exit_rules=EXIT_RULES,
        daily_rules=DAILY_RULES,
    )


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_a_frame_fits_its_terminal_and_shows_the_newest_trade_and_how_to_end_it(
    width: int, height: int, language: Language
) -> None:
    catalog = Catalog(language)
    lines = frame(a_scene(), width, height, catalog)
    assert len(lines) <= height
    assert max(line.cell_len for line in lines) <= width
    shown = [line.plain for line in lines]
    assert shown[-1] == catalog.text("demo.end")
    assert any(line.startswith(NEWEST.text(catalog)) for line in shown)


@pytest.mark.parametrize("height", [1, 2])
def test_where_there_is_room_for_nothing_it_still_says_how_to_end_it(height: int) -> None:
    assert [line.plain for line in frame(a_scene(), 80, height, Catalog("en"))] == ["Ctrl-C ends it"]


def test_what_does_not_fit_is_counted() -> None:
    shown = "\n".join(line.plain for line in frame(a_scene(), 80, 24, Catalog("en")))
    rows = sum(line.startswith("COIN") for line in shown.splitlines()) - 1  # one of them is the line of scores
    assert f"and {15 - rows} more" in shown


def test_positions_near_a_rule_stand_first() -> None:
    scene = a_scene(3)
    prices = {"COIN0": D("0.000123456789"), "COIN1": D("0.00024"), "COIN2": D("0.00018")}
    lines = [line.plain for line in frame(replace(scene, prices=prices), 80, 24, Catalog("en"))]
    assert [line[:5] for line in lines if line.startswith("COIN") and "at" in line] == ["COIN1", "COIN2", "COIN0"]


@pytest.mark.parametrize("language", ["en", "fr"])
def test_an_empty_demo_says_that_nothing_has_happened_yet(language: Language) -> None:
    catalog = Catalog(language)
    shown = [line.plain for line in frame(a_scene(0, 0), 80, 24, catalog)]
    assert catalog.text("demo.no_positions") in shown
    assert catalog.text("demo.no_trades") in shown
    if language == "fr":
        assert is_french("\n".join(shown))


# --------------------------------------------------------------------------- the story


@pytest.mark.parametrize(
    ("price", "name", "distance"),
    [("0.6", "stop_loss", D("0.5") / D("0.6") - 1), ("1.9", "partial_exit", D(2) / D("1.9") - 1)],
)
def test_the_nearest_rule_is_the_one_the_fewest_percent_away(price: str, name: str, distance: Decimal) -> None:
    ahead = nearest_rule(bought_at("1"), D(price), EXIT_RULES)
    assert (ahead.name, round(ahead.distance, 9)) == (name, round(distance, 9))


def test_an_armed_position_waits_for_its_trailing_stop() -> None:
    armed = bought_at("1", partial_sold=True, trailing_armed=True, max_price=D(4))
    assert nearest_rule(armed, D(3), EXIT_RULES).text(Catalog("en")) == "trailing stop at -6.7 %"


def test_the_nearest_misses_are_those_that_lacked_least() -> None:
    decisions = [
        decision("A", "0.69", held=False),
        decision("B", "0.30", held=True),
        decision("C", "0.10", held=False),
        decision("D", None, held=False),
        decision("E", "0.75", held=False, action=Action.BUY),
        decision("F", "0.20", held=True, action=Action.SELL),
        decision("G", "0.95", held=False),  # held back by something else than its score
    ]
    assert near_misses(decisions, DAILY_RULES) == [
        NearMiss("B", D("0.30"), D(0), is_held=True),
        NearMiss("A", D("0.69"), D("0.01"), is_held=False),
        NearMiss("C", D("0.10"), D("0.60"), is_held=False),
    ]


def test_a_day_is_one_line_where_the_output_is_piped() -> None:
    line = day_line(replace(a_scene(2), now=NOW + timedelta(days=1)), Catalog("en"))
    assert line.startswith("2021-02-16  day 41 of 92: worth 1,")
    assert "; COIN" in line
    assert "above a sale" in line
    assert "\n" not in line


# --------------------------------------------------------------------------- lines that fit


@pytest.mark.parametrize(("width", "shown"), [(9, "one   two"), (8, "one"), (2, "")])
def test_a_part_that_does_not_fit_is_left_out_whole(width: int, shown: str) -> None:
    assert fitting(("one", "two"), width).plain == shown


@pytest.mark.parametrize(
    ("width", "shown"),
    [(15, "one   two   six"), (14, "and 3 more"), (16, "one   two   six"), (13, "and 3 more"), (9, "")],
)
def test_what_is_left_out_of_a_row_is_counted(width: int, shown: str) -> None:
    assert with_rest_counted(["one", "two", "six"], width, Catalog("en")).plain == shown


@pytest.mark.parametrize(("width", "shown"), [(8, ["a      1", "bb 1,000"]), (7, ["a ", "bb"])])
def test_a_column_that_does_not_fit_is_left_out_whole(width: int, shown: list[str]) -> None:
    rows: list[list[Text | str]] = [["a", "1"], ["bb", "1,000"]]
    assert [line.plain for line in table(rows, frozenset({0}), width)] == shown
