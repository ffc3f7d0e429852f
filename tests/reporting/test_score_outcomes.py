"""What became of the scores: which count, what a rise is, what chance explains, what the owner reads."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marsshot.bot.journal import Journal, read_last_seen
from marsshot.core.catalog import LANGUAGES, Catalog, Language
from marsshot.infra.atomic_files import Disk
from marsshot.market_data.bar_cache import CLOSE, FIELDS, BarCache, CachedBars, DailyBars, cache_folder
from marsshot.reporting.decision_records import DecisionRow
from marsshot.reporting.score_outcomes import (
    Parting,
    ScoreRecord,
    ScoreRules,
    TokenHistory,
    first_day,
    history_of,
    parting,
    score_record,
)
from marsshot.reporting.score_report import read_score_record, score_facts, score_lines
from marsshot.strategy.decision_reasons import COLUMNS
from marsshot.training.day_statistics import wilson
from tests.helpers.builders import D, some_settings

TODAY = date(2021, 2, 15)
RULES = ScoreRules(buy_threshold=D("0.70"), rise=D("0.05"), days=2)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def days_ago(number: int) -> date:
    return TODAY - timedelta(days=number)


def a_row(
    probability: str | None = "0.70", day: date | None = None, symbol: str = "FET", promise: str = "0.6", rows: int = 50
) -> DecisionRow:
    return DecisionRow(
        day=day or days_ago(10),
        symbol=symbol,
        held=False,
        probability=None if probability is None else Decimal(probability),
        hit_rate=Decimal(promise) if promise else None,
        hit_rows=rows if promise else None,
        action="buy",
        quote=None,
        reason="at_buy_threshold",
        detail="",
    )


def a_history(later: float = 1.05, day: date | None = None, atr_to_close: float = 0.1) -> TokenHistory:
    """A token that stood at 1 on the bar that a decision of that day goes by, and at `later` two days on."""
    scored = (day or days_ago(10)) - timedelta(days=1)
    return TokenHistory({scored: 1.0, scored + timedelta(days=2): later}, {scored: atr_to_close})


def record(*rows: DecisionRow, **histories: TokenHistory) -> ScoreRecord:
    return score_record(rows, histories or {"FET": a_history()}, RULES, TODAY)


# --------------------------------------------------------------------------- which scores, and what became of them


@pytest.mark.parametrize(("probability", "known"), [("0.70", 1), ("0.6999999", 0), (None, 0)])
def test_a_score_at_the_threshold_counts_and_one_under_it_does_not(probability: str | None, known: int) -> None:
    assert record(a_row(probability)).known == known


@pytest.mark.parametrize(("later", "rose"), [(1.05, 1), (1.0499999, 0), (0.5, 0), (3.0, 1)])
def test_a_rise_of_just_five_per_cent_counts(later: float, rose: int) -> None:
    told = record(a_row(), FET=a_history(later))
    assert (told.known, told.rose) == (1, rose)


def test_a_rise_is_compared_as_an_exact_decimal() -> None:
    scored = days_ago(11)
    closes = {scored: 0.1, scored + timedelta(days=2): 0.105}  # 0.1 * 1.05 is more than 0.105 among floats
    assert record(a_row(), FET=TokenHistory(closes, {})).rose == 1


def test_scores_of_the_last_ninety_days_count() -> None:
    for day, known in ((days_ago(90), 1), (days_ago(91), 0)):
        assert record(a_row(day=day), FET=a_history(day=day)).known == known
    assert first_day(TODAY) == days_ago(90)


def test_an_outcome_is_known_two_days_after_its_decision() -> None:
    for day, known, waiting in ((days_ago(2), 1, 0), (days_ago(1), 0, 1), (TODAY, 0, 1)):
        told = record(a_row(day=day), FET=a_history(day=day))
        assert (told.known, told.waiting, told.without_bar) == (known, waiting, 0)


def test_a_score_whose_bar_is_missing_is_told_apart() -> None:
    scored = days_ago(11)
    for closes in ({}, {scored: 1.0}, {scored + timedelta(days=2): 1.0}):
        told = record(a_row(), FET=TokenHistory(closes, {}))
        assert (told.known, told.waiting, told.without_bar) == (0, 0, 1)
    assert record(a_row(symbol="GONE")).without_bar == 1


def test_a_token_counts_once_a_day() -> None:
    assert record(a_row("0.90"), a_row("0.80")).known == 1
    assert record(a_row("0.90"), a_row("0.10")).known == 0


def test_as_many_are_picked_by_atr_to_close_among_all_scored_tokens() -> None:
    rows = [a_row("0.9", symbol="CALM"), a_row("0.1", symbol="WILD"), a_row("0.2", symbol="MILD")]
    histories = {
        "CALM": a_history(1.0, atr_to_close=0.01),
        "WILD": a_history(1.2, atr_to_close=0.30),
        "MILD": a_history(1.3, atr_to_close=0.20),
    }
    told = record(*rows, **histories)
    assert (told.known, told.rose, told.by_atr) == (1, 0, 1)
    histories["WILD"] = a_history(1.0, atr_to_close=0.30)
    assert record(*rows, **histories).by_atr == 0


def test_a_history_has_the_closes_and_the_training_s_atr() -> None:
    days = np.arange("2021-01-01", "2021-01-31", dtype="datetime64[D]")
    values = np.full((30, len(FIELDS)), np.nan)
    values[:, :4] = [1.0, 1.1, 0.9, 1.0]
    values[20, CLOSE] = 0.0
    history = history_of(DailyBars("FET", days, values), date(2021, 1, 10))
    assert min(history.closes) == date(2021, 1, 10)
    assert date(2021, 1, 21) not in history.closes
    assert date(2021, 1, 14) not in history.atr_to_close  # the first 14 bars have none
    assert history.atr_to_close[date(2021, 1, 15)] == pytest.approx(0.2)


# --------------------------------------------------------------------------- the promise


def test_the_promise_is_the_mean_of_what_was_promised() -> None:
    rows = [a_row(day=days_ago(10), promise="0.5"), a_row(day=days_ago(9), promise="0.7")]
    history = TokenHistory({days_ago(n): 1.0 for n in range(20)}, {})
    assert record(*rows, FET=history).promised == pytest.approx(0.6)
    assert record(a_row(promise="")).promised is None


def many(rose: int, of: int, promise: str, promise_rows: int) -> ScoreRecord:
    """So many scores, one a day, of which the first so many rose."""
    rows = [a_row(day=days_ago(80 - n), symbol=f"T{n}", promise=promise, rows=promise_rows) for n in range(of)]
    order = [n * 37 % of for n in range(of)]  # not in one block, which would be chance among days
    histories = {f"T{n}": a_history(1.1 if order[n] < rose else 1.0, day=days_ago(80 - n)) for n in range(of)}
    return score_record(rows, histories, RULES, TODAY)


@pytest.mark.parametrize(
    ("rose", "promise_rows", "expected"),
    [
        (24, 1000, None),
        (18, 1000, None),
        (14, 1000, Parting.BELOW),
        (14, 20, None),  # a promise made of twenty rows is itself uncertain
        (34, 1000, Parting.ABOVE),
        (30, 1000, None),
    ],
)
def test_promise_and_outcome_part_beyond_chance_only(rose: int, promise_rows: int, expected: Parting | None) -> None:
    told = many(rose, 40, "0.6", promise_rows)
    assert (told.known, told.rose) == (40, rose)
    assert told.parting is expected


def test_a_handful_of_scores_warns_of_nothing() -> None:
    assert many(0, 4, "0.6", 1000).parting is None
    assert many(0, 5, "0.6", 1000).parting is Parting.BELOW


@pytest.mark.parametrize(("promise_rows", "expected"), [(10, Parting.BELOW), (9, None)])
def test_a_promise_made_of_a_few_rows_cannot_be_broken(promise_rows: int, expected: Parting | None) -> None:
    told = many(0, 40, "0.9", promise_rows)
    assert (told.promised_by, told.parting) == (promise_rows, expected)


def test_the_difference_of_two_shares_has_newcombe_s_interval() -> None:
    # Newcombe 1998, table II, method 10: 56/70 less 48/80 is 0.0524 to 0.3339.
    first, second = 56 / 70, 48 / 80
    assert parting(first, wilson(first, 70), second, wilson(second, 80)) is Parting.ABOVE
    assert parting(second, wilson(second, 80), first, wilson(first, 70)) is Parting.BELOW
    assert parting(first, wilson(first, 70), second, wilson(second, 20)) is None


@given(st.integers(0, 40), st.integers(1, 40), st.sampled_from(["0", "0.3", "1"]), st.integers(1, 500))
def test_the_share_lies_within_its_interval(rose: int, of: int, promise: str, promise_rows: int) -> None:
    told = many(min(rose, of), of, promise, promise_rows)
    assert told.share_interval is not None
    low, high = told.share_interval
    assert 0 <= low <= told.rose / told.known <= high <= 1
    assert told.by_atr == told.known - (told.known - told.rose)  # one token a day: there is nothing else to pick


# --------------------------------------------------------------------------- from the files, in words


def write_decisions(*rows: str) -> None:
    Path("decisions.paper.csv").write_text("\n".join([",".join(COLUMNS), *rows, ""]))


def cached(symbol: str, *closes: float) -> None:
    """Write a token's bars as the daily pass does: so many closes, the last of yesterday."""
    days = np.arange(len(closes)) + np.datetime64(TODAY, "D") - len(closes)
    values = np.full((len(closes), len(FIELDS)), np.nan)
    values[:, :4] = np.array(closes)[:, None]
    bars = DailyBars(symbol, days, values)
    settings = some_settings()
    cache = BarCache(cache_folder("paper"), settings.lunarcrush.base_url)
    cache.save(settings.lunarcrush_coin(symbol), CachedBars(bars, days[0], days[-1] + 1))


def test_decisions_and_bars_on_this_disk_are_read() -> None:
    cached("FET", *[1.0] * 20, 1.2, 1.2)
    write_decisions(
        "2020-01-01,,FET,false,0.9,0.6,50,buy,,x,y",
        "2021-02-14,,FET,false,0.9,0.6,50,buy,,x,y",  # of the 13th, known on the 16th
        "2021-02-13,,FET,false,0.9,0.6,50,buy,,x,y",  # of the 12th: 1, and 1.2 on the 14th
        "2021-02-12,,FET,false,0.2,0.1,50,leave,,x,y",
    )
    told = read_score_record(some_settings(), TODAY)
    assert (told.known, told.rose, told.waiting) == (1, 1, 1)


def test_a_bar_of_today_is_not_closed() -> None:
    cached("FET", *[1.0] * 20)
    write_decisions("2021-02-14,,FET,false,0.9,0.6,50,buy,,x,y")
    assert read_score_record(some_settings(), date(2021, 2, 14)).waiting == 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_line_is_told(language: Language) -> None:
    cached("FET", *[1.0] * 20)
    write_decisions(
        *(f"{days_ago(n)},,FET,false,0.9,0.9,500,buy,,x,y" for n in range(2, 18)),
        f"{days_ago(5)},,GONE,false,0.9,0.9,500,buy,,x,y",
    )
    lines = score_lines(some_settings(), TODAY, Catalog(language))
    assert len(lines) == 6
    if language == "en":
        assert lines[0] == "Scores of 0.70 and more in the last 90 days"
        assert lines[1].startswith("0 of 16 stood 5.0 % or more higher 2 days on: 0.0 % (95 % interval 0.0 % to ")
        assert "promised 90.0 %, by 500 rows" in lines[2]
        assert "0 of 16" in lines[3]
        assert "daily bar is missing: 1" in lines[4]
        assert lines[5].startswith("WARNING: fewer rose")


def test_a_promise_of_another_label_is_not_compared() -> None:
    cached("FET", *[1.0] * 20)
    write_decisions(*(f"{days_ago(n)},,FET,false,0.9,0.9,500,buy,,x,y" for n in range(2, 18)))
    settings = some_settings()
    training = settings.training.model_copy(update={"label": "relative"})
    assert read_score_record(settings, TODAY).parting is Parting.BELOW
    told = read_score_record(settings.model_copy(update={"training": training}), TODAY)
    assert (told.known, told.promised, told.parting) == (16, None, None)


def test_without_decisions_nothing_is_known_yet() -> None:
    assert score_lines(some_settings(), TODAY, Catalog("en"))[1].startswith("none whose outcome is known yet (0 ")
    assert score_facts(some_settings(), TODAY) is not None


def test_a_file_that_cannot_be_read_costs_one_line() -> None:
    write_decisions("2021-02-13,,FET,false,much,,,buy,,x,y")
    (line,) = score_lines(some_settings(), TODAY, Catalog("en"))
    assert "decisions.paper.csv" in line
    assert score_facts(some_settings(), TODAY) is None
    Path("decisions.paper.csv").unlink()
    Path("decisions.paper.csv").mkdir()
    (line,) = score_lines(some_settings(), TODAY, Catalog("en"))
    assert "decisions.paper.csv" in line


def test_in_the_demo_the_recorded_market_tells() -> None:
    day = date(2021, 3, 15)
    Path("decisions.demo.csv").write_text("\n".join([",".join(COLUMNS), f"{day},,ADA,false,0.9,0.6,50,buy,,x,y", ""]))
    told = read_score_record(some_settings(mode="demo"), day + timedelta(days=5))
    assert (told.known, told.without_bar) == (1, 0)


@pytest.mark.parametrize(("share", "warns"), [(0.1000001, True), (0.10, False)])
@pytest.mark.parametrize("language", LANGUAGES)
def test_features_that_left_the_training_s_are_warned_of(language: Language, share: float, warns: bool) -> None:
    journal = Journal(some_settings(), Disk())
    journal.note_drift({"rsi": share, "turnover": 0.5 if warns else 0.0})
    journal.note_postponement("x", None)  # what is kept besides takes it not away
    lines = score_lines(some_settings(), TODAY, Catalog(language))
    assert any("turnover 50" in line and "rsi 10" in line for line in lines) is warns
    facts = score_facts(some_settings(), TODAY)
    assert facts is not None and facts["outside_training"]["rsi"] == share


@pytest.mark.parametrize("broken", ["[]", "null", '{"rsi": "much"}', '{"rsi": 7}'])
def test_a_drift_that_cannot_be_read_is_none(broken: str) -> None:
    content = f'{{"time": null, "prices": {{}}, "put_off": "x", "put_off_until": null, "drift": {broken}}}'
    Path("seen.paper.json").write_text(content)
    seen = read_last_seen(Path("seen.paper.json"), Disk())
    assert (seen.drift, seen.put_off) == ({}, "x")
