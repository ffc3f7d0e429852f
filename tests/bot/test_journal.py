"""What the owner may look up later: rows are added whole, a torn line is mended, a day is told once."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from marsshot.bot.journal import AppendOnlyCsv, Journal, LastSeen, read_equity, read_last_seen, read_performance
from marsshot.bot.price_judge import last_looks_of
from marsshot.core.catalog import LANGUAGES, Catalog, Language, load_texts
from marsshot.core.decisions import Action, Decision
from marsshot.core.reasons import DecisionReason
from marsshot.infra.atomic_files import Disk
from marsshot.portfolio.performance import largest_fall
from marsshot.strategy.decision_reasons import COLUMNS, csv_row, decision_text, reason_text
from marsshot.strategy.second_look import LastLook
from tests.helpers.builders import DAILY_RULES, NOW, D, a_book, bought_at, some_settings

HEADER = "day,symbol"


@pytest.fixture
def table(tmp_path: Path) -> AppendOnlyCsv:
    return AppendOnlyCsv(tmp_path / "table.csv", ("day", "symbol"), Disk())


def lines(table: AppendOnlyCsv) -> list[str]:
    return table.path.read_text().splitlines()


def test_a_new_file_begins_with_its_header_and_is_its_owners_only(table: AppendOnlyCsv) -> None:
    table.append([("1", "ADA")])
    table.append([("2", "ADA")])
    assert lines(table) == [HEADER, "1,ADA", "2,ADA"]
    assert table.path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("torn", ["", "2", "2,AD", "2,ADA"])
def test_a_last_line_that_a_death_left_unfinished_is_taken_away(table: AppendOnlyCsv, torn: str) -> None:
    table.path.write_text(f"{HEADER}\n1,ADA\n{torn}")
    table.append([("3", "DOT")])
    assert lines(table) == [HEADER, "1,ADA", "3,DOT"]


@pytest.mark.parametrize("torn", ["", "d", "day,sym"])
def test_a_file_that_died_with_its_header_begins_anew(table: AppendOnlyCsv, torn: str) -> None:
    table.path.write_text(torn)
    table.append([("1", "ADA")])
    assert lines(table) == [HEADER, "1,ADA"]


def test_rows_of_the_same_day_are_replaced_and_others_stay(table: AppendOnlyCsv) -> None:
    table.path.write_text(f"{HEADER}\n1,ADA\n2,ADA\n2,DO")
    table.append([("2", "ADA"), ("2", "DOT")], replacing_prefix="2,")
    table.append([("2", "LINK")], replacing_prefix="2,")
    assert lines(table) == [HEADER, "1,ADA", "2,LINK"]


def test_rows_that_are_there_already_are_not_written_again(table: AppendOnlyCsv) -> None:
    table.append([("1", "ADA"), ("2", "DOT")])
    before = table.path.stat().st_mtime_ns
    table.append([("2", "DOT")], replacing_prefix="2,")
    assert table.path.stat().st_mtime_ns == before


def test_of_a_long_file_only_the_end_is_looked_at(table: AppendOnlyCsv, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("marsshot.bot.journal._TAIL_BYTES", 10)
    table.path.write_text(f"{HEADER}\n" + "1,ADA\n" * 100 + "2,ADA\n2,D")
    table.append([("2", "OP")], replacing_prefix="2,")
    assert lines(table) == [HEADER, *["1,ADA"] * 100, "2,OP"]


# --------------------------------------------------------------------------- prices and equity


class FullDisk(Disk):
    """Takes nothing."""

    def append(self, path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    write_unsynced = append_unsynced = append


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Journal:
    monkeypatch.chdir(tmp_path)
    return Journal(some_settings(), Disk())


BOOK = a_book(capital=D(900), positions={"FET": bought_at("1")})


def equity() -> list[tuple[datetime, Decimal]]:
    return read_equity(Path("equity.paper.csv"), Disk())


def seen() -> LastSeen:
    return read_last_seen(Path("seen.paper.json"), Disk())


def test_a_check_keeps_the_prices_of_what_is_held(journal: Journal) -> None:
    journal.note_check(BOOK, {"FET": D("1.5"), "OP": D(2)}, NOW)
    assert seen() == LastSeen({"FET": (D("1.5"), NOW)}, time=NOW)
    assert Path("seen.paper.json").stat().st_mode & 0o777 == 0o600


def test_a_token_without_a_price_keeps_its_last_one_with_its_time_over_a_restart(journal: Journal) -> None:
    journal.note_check(BOOK, {"FET": D("1.5")}, NOW)
    later = NOW + timedelta(minutes=5)
    Journal(some_settings(), Disk()).note_check(BOOK, {}, later)
    assert seen() == LastSeen({"FET": (D("1.5"), NOW)}, time=later)


EQUITY_HEADER = "time,capital,positions,equity,profit,index\n"


def test_a_file_of_an_earlier_version_gets_the_new_columns_and_keeps_its_rows(journal: Journal) -> None:
    path = Path("equity.paper.csv")
    path.write_text("time,capital,positions,equity\n2021-02-14T00:30:00Z,900,300,1200\n")
    journal.note_equity(a_book(capital=D(900), capital_started=D(1000)), NOW)
    first, old, new = path.read_text().splitlines()
    assert (f"{first}\n", old) == (EQUITY_HEADER, "2021-02-14T00:30:00Z,900,300,1200")
    assert new.endswith(",900,0,900,-100,0.9")
    points = read_performance(path, Disk(), D(1000))
    assert [(one.profit, one.index) for one in points] == [(D(200), D("1.2")), (D(-100), D("0.9"))]


def test_the_equity_is_capital_and_positions_at_their_last_price(journal: Journal) -> None:
    journal.note_check(BOOK, {"FET": D("1.5")}, NOW)
    assert Path("equity.paper.csv").read_text() == EQUITY_HEADER + "2021-02-15T00:30:00Z,900,150,1050,50,1.05\n"
    assert equity() == [(NOW, D(1050))]


def test_a_token_just_bought_counts_at_what_it_was_bought_for(journal: Journal) -> None:
    journal.note_equity(BOOK, NOW)
    assert equity() == [(NOW, D(1000))]


@pytest.mark.parametrize(("minutes", "rows"), [(59, 1), (60, 2), (-59, 1), (-60, 2)])
def test_the_checks_write_one_row_an_hour_over_a_restart_too(journal: Journal, minutes: int, rows: int) -> None:
    journal.note_check(BOOK, {"FET": D(1)}, NOW)
    journal = Journal(some_settings(), Disk())
    journal.note_check(BOOK, {"FET": D(1)}, NOW + timedelta(minutes=minutes))
    assert len(equity()) == rows


@pytest.mark.parametrize("torn", ["2", "2021-02-15", "2021-02-15T12:0", "2021-02-15T12:00:00"])
def test_a_row_of_equity_that_a_power_cut_has_torn_stops_no_check(journal: Journal, torn: str) -> None:
    journal.note_check(BOOK, {"FET": D(1)}, NOW)
    with Path("equity.paper.csv").open("a") as file:
        file.write(torn)
    Journal(some_settings(), Disk()).note_check(BOOK, {"FET": D(1)}, NOW + timedelta(hours=1))
    assert len(equity()) == 2


def test_a_pass_writes_a_row_besides(journal: Journal) -> None:
    journal.note_check(BOOK, {"FET": D(1)}, NOW)
    journal.note_equity(BOOK, NOW)
    assert len(equity()) == 2


@pytest.mark.parametrize("torn", ["2021-02-15", "2021-02-15T00", "2021-02-15T00:30:00", "2021-02-15T00:30:00Z", ""])
def test_the_beginning_of_a_row_that_a_death_cut_off_is_no_moment(journal: Journal, torn: str) -> None:
    journal.note_check(BOOK, {"FET": D(1)}, NOW - timedelta(hours=1))
    with Path("equity.paper.csv").open("a") as file:
        file.write(torn)
    Journal(some_settings(), Disk()).note_check(BOOK, {"FET": D(2)}, NOW + timedelta(hours=1))
    assert equity() == [(NOW - timedelta(hours=1), D(1000)), (NOW + timedelta(hours=1), D(1100))]


def test_why_a_pass_is_put_off_is_kept_until_it_is_done(journal: Journal) -> None:
    journal.note_postponement("LunarCrush is down", NOW)
    assert (seen().put_off, seen().put_off_until) == ("LunarCrush is down", NOW)
    journal.note_postponement("", None)
    assert seen() == LastSeen()


NAIVE = b'{"time": "2021-02-15", "prices": {}, "put_off": "", "put_off_until": null}'


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"prices": {"FET": 3}}', b"\xff", NAIVE])
def test_what_cannot_be_read_is_as_if_it_were_not_there(journal: Journal, content: bytes) -> None:
    Path("seen.paper.json").write_bytes(content)
    Path("equity.paper.csv").write_bytes(content)
    assert (seen(), equity()) == (LastSeen(), [])
    journal = Journal(some_settings(), Disk())
    journal.note_check(BOOK, {"FET": D(2)}, NOW)
    assert seen().prices == {"FET": (D(2), NOW)}
    assert equity() == [(NOW, D(1100))]


def test_the_owners_coins_and_a_halt_are_kept_for_the_next_process(journal: Journal) -> None:
    look = LastLook(D("1.5"), NOW, was_halted=True, owners_share=D("77.7"))
    journal.note_check(BOOK, {"FET": D("1.5")}, NOW, {"FET": look, "OP": look})
    assert last_looks_of(Journal(some_settings(), Disk()).seen) == {"FET": look}
    row = json.loads(Path("seen.paper.json").read_bytes())["prices"]["FET"]
    assert row == {"price": "1.5", "time": "2021-02-15T00:30:00Z", "owners": "77.7", "halted": True}


@pytest.mark.parametrize("owners", ["-1", "NaN", "Infinity", "many", "", None, [], 1e400])
def test_an_amount_that_is_none_is_not_known_and_takes_nothing_with_it(journal: Journal, owners: object) -> None:
    row = {"price": "1.5", "time": "2021-02-15T00:30:00Z", "owners": owners, "halted": "yes"}
    content = {"time": None, "put_off": "", "put_off_until": None, "prices": {"FET": row}}
    Path("seen.paper.json").write_text(json.dumps(content))
    assert seen() == LastSeen({"FET": (D("1.5"), NOW)})


@pytest.mark.parametrize(("content", "told"), [(b"{", 1), (b"[]", 1), (None, 0)])
def test_a_file_that_cannot_be_read_is_told_once(
    journal: Journal, caplog: pytest.LogCaptureFixture, content: bytes | None, told: int
) -> None:
    if content is not None:
        Path("seen.paper.json").write_bytes(content)
    with caplog.at_level("WARNING", "marsshot"):
        Journal(some_settings(), Disk()).note_check(BOOK, {"FET": D(1)}, NOW)
        Journal(some_settings(), Disk())
    assert sum("seen.paper.json" in record.getMessage() for record in caplog.records) == told


def test_a_price_no_rule_could_go_by_is_not_read(journal: Journal) -> None:
    content = {"time": None, "put_off": "", "put_off_until": None}
    prices = {"FET": {"price": "NaN", "time": "2021-02-15T00:30:00Z"}}
    Path("seen.paper.json").write_text(json.dumps(content | {"prices": prices}))
    assert seen().prices == {}


def test_a_full_disk_is_told_once_and_harms_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    journal = Journal(some_settings(), FullDisk())
    with caplog.at_level("WARNING", "marsshot"):
        for hour in range(3):
            journal.note_check(BOOK, {"FET": D(1)}, NOW + timedelta(hours=hour))
    assert len(caplog.records) == 2, "one for each file"


def test_a_demos_checks_hold_back_what_they_saw_until_it_is_asked_for(journal: Journal) -> None:
    journal, path = Journal(some_settings(mode="demo"), Disk()), Path("seen.demo.json")
    for minutes in range(0, 65, 5):
        journal.note_check(BOOK, {"FET": D(minutes + 1)}, NOW + timedelta(minutes=minutes))
    assert not path.exists()
    journal.write_last_seen()
    assert read_last_seen(path, Disk()).prices["FET"] == (D(61), NOW + timedelta(minutes=60))
    written = path.stat().st_ino
    journal.write_last_seen()
    assert path.stat().st_ino == written, "nothing new, nothing written"


def test_the_demo_writes_what_it_held_back_at_its_end(journal: Journal) -> None:
    journal = Journal(some_settings(mode="demo"), Disk())
    for minutes in range(0, 15, 5):
        journal.note_check(BOOK, {"FET": D(minutes + 1)}, NOW + timedelta(minutes=minutes))
    journal.flush(BOOK, NOW + timedelta(minutes=12))
    assert read_last_seen(Path("seen.demo.json"), Disk()).prices["FET"] == (D(11), NOW + timedelta(minutes=10))
    assert read_equity(Path("equity.demo.csv"), Disk())[-1] == (NOW + timedelta(minutes=12), D(2000))


def test_a_fall_between_two_rows_of_equity_is_shown_nowhere(journal: Journal) -> None:
    journal = Journal(some_settings(mode="demo"), Disk())
    for minutes, price in [(0, "2"), (5, "0.1"), (60, "1"), (65, "3"), (120, "1.5")]:
        journal.note_check(BOOK, {"FET": D(price)}, NOW + timedelta(minutes=minutes))
    fall = largest_fall(one.index for one in read_performance(Path("equity.demo.csv"), Disk(), D(1000)))
    assert journal.drawdown.largest == fall == 1 - D(1000) / D(1100)


def test_a_price_of_any_size_can_be_added_up(journal: Journal) -> None:
    journal.note_check(BOOK, {"FET": D("1e39")}, NOW)
    assert equity() == [(NOW, D("1e41") + 900)]


# --------------------------------------------------------------------------- reasons in words


def a_decision(**changes: object) -> Decision:
    values: dict[str, object] = {
        "symbol": "ADA",
        "held": False,
        "probability": D("0.71"),
        "action": Action.BUY,
        "reason": DecisionReason.AT_BUY_THRESHOLD,
    }
    return Decision(**(values | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("reason", DecisionReason)
def test_every_reason_has_its_words(reason: DecisionReason, language: Language) -> None:
    assert Catalog(language).render(reason_text(a_decision(reason=reason, told="HALT"), DAILY_RULES))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_action_has_its_words_and_there_are_no_others(language: Language) -> None:
    known = load_texts(language)
    assert {key.removeprefix("action.") for key in known if key.startswith("action.")} == {*Action}
    assert {key.removeprefix("why.") for key in known if key.startswith("why.")} == {*DecisionReason}


def test_a_line_of_the_log_tells_score_hit_rate_action_and_reason() -> None:
    assert decision_text(a_decision(), DAILY_RULES) == "ADA: score 0.710, buy: 0.70 or more"
    line = decision_text(a_decision(hit_rate=D("0.625"), hit_rows=40), DAILY_RULES)
    assert "of 40 unseen days with such a score, 62.5 % were" in line
    ranked = decision_text(a_decision(raw_score=D("0.561")), DAILY_RULES)
    assert ranked == "ADA: rank 0.710 (raw score 0.561), buy: 0.70 or more"
    silent = a_decision(probability=None, action=Action.LEAVE, reason=DecisionReason.NO_BAR)
    expected = "ADA: no score, leave: LunarCrush has no complete bar of yesterday"
    assert decision_text(silent, DAILY_RULES) == expected


def test_a_row_has_a_cell_for_each_column_and_empty_ones_for_what_is_not_known() -> None:
    row = csv_row(
        "2021-02-15", "then", a_decision(hit_rate=D("0.5"), hit_rows=8, quote=D("1E+2")), DAILY_RULES, Catalog("fr")
    )
    told = dict(zip(COLUMNS, row, strict=True))
    assert told == {
        "day": "2021-02-15",
        "time": "then",
        "symbol": "ADA",
        "held": "false",
        "probability": "0.71",
        "hit_rate": "0.5",
        "hit_rows": "8",
        "action": "buy",
        "quote": "100",
        "reason": "at_buy_threshold",
        "detail": "score de 0,70 ou plus",
        "raw_score": "",
    }
    ranked = csv_row("d", "t", a_decision(raw_score=D("0.561")), DAILY_RULES, Catalog("en"))
    assert ranked[COLUMNS.index("raw_score")] == "0.561"
    empty = csv_row("d", "t", a_decision(probability=None), DAILY_RULES, Catalog("en"))
    assert [empty[COLUMNS.index(name)] for name in ("probability", "hit_rate", "hit_rows", "quote")] == [""] * 4


def test_what_a_venue_said_stays_on_one_line() -> None:
    text = reason_text(a_decision(reason=DecisionReason.SOURCE_DOWN, told="answered\n  502"), DAILY_RULES)
    assert text == "LunarCrush did not answer (answered 502)"


def test_a_row_of_equity_without_a_zone_or_a_number_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "equity.csv"
    path.write_text("2026-01-01T00:30:00,1,2,3\n2026-01-02T00:30:00Z,1,2,NaN\n2026-01-03T00:30:00Z,1,2,3\n")
    assert read_equity(path, Disk()) == [(datetime(2026, 1, 3, 0, 30, tzinfo=UTC), Decimal(3))]


def test_decisions_of_an_older_version_get_the_column_of_the_raw_score(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text('day,detail\n2026-01-01,"a, b"\n')
    AppendOnlyCsv(path, ("day", "detail", "raw_score"), Disk(), former=("day", "detail")).append(
        [("2026-01-03", "c", "0.5")]
    )
    assert path.read_text() == 'day,detail,raw_score\n2026-01-01,"a, b"\n2026-01-03,c,0.5\n'
