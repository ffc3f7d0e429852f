"""`main.py status`, and the owner's word to a running bot: pause, resume, sell all."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from marsshot.bot import daily_candles
from marsshot.bot.control_files import ControlFiles
from marsshot.bot.daily_candles import DailyClose
from marsshot.bot.journal import LastSeen
from marsshot.bot.owner_requests import request_deposit, request_sale
from marsshot.bot.trouble_tracker import TroubleKind
from marsshot.commands.status import pause_reason, show_status, status_facts
from marsshot.commands.status_view import status_lines
from marsshot.config.changes import plain_settings
from marsshot.core.book import Book, TradeRow
from marsshot.core.catalog import LANGUAGES, Catalog, Language, catalog_of
from marsshot.core.errors import InputError
from marsshot.core.reasons import OrderReason, QuietReason
from marsshot.core.requests import RequestAnswer, RequestOutcome
from marsshot.infra.atomic_files import Disk
from marsshot.monitoring.bot_state import BotState, read_state
from marsshot.portfolio.performance import with_cash_flow
from marsshot.portfolio.serialization import topic_from_text
from marsshot.strategy.decision_reasons import COLUMNS
from positions_store import Store, save_state, writer_lock
from tests.helpers.builders import (
    TODAY,
    D,
    a_book,
    a_plan,
    a_position,
    a_trade,
    bought_at,
    buy_intent,
    sell_intent,
    some_settings,
)
from tests.helpers.french_text import plain

MORNING = datetime(2021, 2, 15, 9, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def facts(
    book: Book, *, now: datetime = MORNING, paused: str = "", seen: LastSeen | None = None, **settings: object
) -> dict[str, Any]:
    return status_facts(book, some_settings(**settings), paused, now, seen)


def saved(book: Book, *rows: TradeRow) -> None:
    store = Store(book, Path("bot_state.paper.json"), Path("trades.paper.csv"), Disk(), pytest.fail)
    store.save(replace(book, unwritten_trades=rows))


# --------------------------------------------------------------------------- status


def test_the_capital_is_told_as_decimals() -> None:
    told = facts(a_book(capital=D("900.50"), started_at="2021-02-01T00:00:00Z"))
    assert (told["mode"], told["quote_asset"]) == ("paper", "USDT")
    assert (told["capital"], told["capital_started"]) == ("900.5", "1000")
    assert told["started_at"] == "2021-02-01T00:00:00Z"


def test_the_levels_of_a_position_are_told() -> None:
    held = facts(a_book(positions={"FET": bought_at("0.10", opened_at="then")}))["positions"]["FET"]
    assert (held["qty"], held["entry_price"], held["cost"], held["opened_at"]) == ("100", "0.1", "10", "then")
    assert D(held["stop_loss_at"]) == D("0.05")
    assert D(held["partial_at"]) == D("0.2")
    assert held["trailing_armed"] is False
    assert (D(held["trailing_armed_from"]), held["trailing_stop_at"]) == (D("0.3"), None)
    assert (held["did_skip_sell_once"], held["exit_pending"]) == (False, "")


def test_a_position_in_the_middle_of_its_life_is_told() -> None:
    position = bought_at(
        "0.10",
        trailing_armed=True,
        max_price=D("0.32"),
        partial_sold=True,
        did_skip_sell_once=True,
        exit_pending=OrderReason.TRAILING_STOP,
    )
    held = facts(a_book(positions={"FET": position}))["positions"]["FET"]
    assert (held["partial_sold"], held["partial_at"]) == (True, None)
    assert (held["trailing_armed"], held["trailing_armed_from"]) == (True, None)
    assert D(held["trailing_stop_at"]) == D("0.224")
    assert (held["did_skip_sell_once"], held["exit_pending"]) == (True, "trailing_stop")


def test_a_price_is_told_with_its_time_and_what_the_position_has_gained() -> None:
    seen = LastSeen({"FET": (D("0.15"), MORNING)})
    told = facts(a_book(capital=D(90), positions={"FET": bought_at("0.10")}), seen=seen)
    held = told["positions"]["FET"]
    assert (held["price"], held["price_time"]) == ("0.15", "2021-02-15T09:00:00Z")
    assert (held["worth"], held["gain"]) == ("15", "0.5")
    assert (told["positions_worth"], told["equity"]) == ("15", "105")


@pytest.mark.parametrize(
    ("reason", "minutes", "shown"),
    [
        (QuietReason.BAN, 1, "has banned this machine's address until {until} UTC"),
        (QuietReason.RATE_LIMIT, 1, "asks to be left alone until {until} UTC"),
        (QuietReason.TROUBLE, 1, ""),
        (QuietReason.BAN, 0, ""),
    ],
)
def test_the_end_of_a_ban_is_told(reason: QuietReason, minutes: int, shown: str) -> None:
    until = MORNING + timedelta(minutes=minutes)
    told = facts(a_book(exchange_quiet_until_ms=int(until.timestamp() * 1000), exchange_quiet_reason=reason))
    assert told["exchange_quiet_until"] == (f"{until:%Y-%m-%dT%H:%M:%SZ}" if shown else None)
    lines = "\n".join(status_lines(told | {"pause_reason": ""}, MORNING, Catalog("en")))
    assert ("Binance" in lines) is bool(shown)
    assert shown.format(until=f"{until:%Y-%m-%d %H:%M}") in lines


def a_running_bot(**told: object) -> BotState:
    """Return what a bot tells that runs by `some_settings`, read from the file that it writes."""
    content = {"troubles": [], "settings": plain_settings(some_settings()), "awaiting_restart": []} | told
    Path("heartbeat.json").write_text(json.dumps(content))
    state = read_state(Path("heartbeat.json"))
    assert state is not None
    return state


def running_lines(state: BotState, language: Language, **settings: object) -> list[str]:
    told = status_facts(a_book(), some_settings(**settings), "", MORNING, None, state) | {"pause_reason": ""}
    return [plain(line) for line in status_lines(told, MORNING, Catalog(language))]


@pytest.mark.parametrize("kind", TroubleKind)
@pytest.mark.parametrize(("language", "begin"), [("en", "Trouble: FET: "), ("fr", "Problème : FET : ")])
def test_a_trouble_that_lasts_stands_there_while_it_does(kind: TroubleKind, language: Language, begin: str) -> None:
    since = {"en": "2021-02-15 08:30 UTC", "fr": "15/02/2021 08:30 UTC"}[language]
    state = a_running_bot(troubles=[{"kind": kind.value, "subject": "FET", "since": "2021-02-15T08:30:00Z"}])
    (line,) = (line for line in running_lines(state, language) if line.startswith(begin))
    assert since in line
    assert not any(line.startswith(begin) for line in running_lines(a_running_bot(), language))


def test_a_setting_that_the_running_bot_has_not_taken_up_is_shown_with_both_values() -> None:
    assert not any("goes by" in line for line in running_lines(a_running_bot(), "en"))
    assert "The running bot goes by mode: paper (config.yaml: live); a restart takes it up" in running_lines(
        a_running_bot(settings=plain_settings(some_settings()) | {"mode": "paper"}), "en", mode="live"
    )
    changed = plain_settings(some_settings()) | {"strategy.stop_loss_pct": "0.25"}
    assert (
        "Le robot en marche suit strategy.stop_loss_pct : 0.25 (config.yaml : 0.5) ; le prochain contrôle en tiendra"
        " compte" in running_lines(a_running_bot(settings=changed), "fr")
    )


def test_a_key_that_awaits_a_restart_is_named_and_not_shown() -> None:
    state = a_running_bot(awaiting_restart=["binance_api.api_secret"])
    (line,) = (line for line in running_lines(state, "en") if "api_secret" in line)
    assert line == "The running bot goes by another binance_api.api_secret than config.yaml; a restart takes it up"


def test_what_a_bot_tells_is_shown_while_it_runs_and_not_after(capsys: pytest.CaptureFixture[str]) -> None:
    saved(a_book())
    content = {"troubles": [], "settings": {"strategy.stop_loss_pct": "0.25"}, "awaiting_restart": []}
    Path("heartbeat.paper.json").write_text(json.dumps(content))
    book = Path("bot_state.paper.json")

    def in_force() -> dict[str, Any]:
        assert show_status(some_settings(mode="paper"), as_json=True) == 0
        told: dict[str, Any] = json.loads(capsys.readouterr().out)["settings_in_force"]
        return told

    with writer_lock(book):
        assert in_force()["strategy.stop_loss_pct"]["in_force"] == "0.25"
    assert in_force() == {}


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"troubles": [{"kind": "new"}]}', '{"troubles": 3}'])
def test_a_heartbeat_of_another_version_tells_nothing(content: str) -> None:
    Path("heartbeat.json").write_text(content)
    assert read_state(Path("heartbeat.json")) is None


def test_without_a_price_a_position_counts_at_its_entry() -> None:
    told = facts(a_book(positions={"FET": bought_at("0.10")}))
    assert (told["positions"]["FET"]["price"], told["positions"]["FET"]["gain"]) == (None, None)
    assert told["positions_worth"] == "10"


def history(*rows: str) -> None:
    lines = [f"{time},0,0,{equity}\n" for time, equity in (row.split() for row in rows)]
    Path("equity.paper.csv").write_text("time,capital,positions,equity\n" + "".join(lines))


OLD = "2021-01-01T00:00:00Z"


def test_profits_are_measured_from_the_last_row_before_their_moment() -> None:
    history(
        "2021-01-16T09:00:00Z 700",
        "2021-01-16T09:00:01Z 1",
        "2021-02-08T08:00:00Z 800",
        "2021-02-14T23:59:59Z 900",
        "2021-02-15T00:00:00Z 950",
        "2021-02-15T00:00:01Z 2",
    )
    told = facts(a_book(capital=D(1000), capital_started=D(500), started_at=OLD))["profit"]
    assert told == {"today": "50", "7_days": "200", "30_days": "300", "since_start": "500"}


def test_a_bot_younger_than_the_span_is_measured_from_its_start() -> None:
    history("2021-02-14T10:00:00Z 900")
    told = facts(a_book(capital=D(1000), capital_started=D(800), started_at="2021-02-14T10:00:00Z"))["profit"]
    assert told == {"today": "100", "7_days": "200", "30_days": "200", "since_start": "200"}


def test_what_there_was_then_is_not_made_up() -> None:
    history("2021-02-14T10:00:00Z 900")
    told = facts(a_book(capital=D(1000), started_at=OLD))["profit"]
    assert (told["today"], told["7_days"], told["30_days"]) == ("100", None, None)


def test_a_start_that_cannot_be_read_is_not_guessed() -> None:
    told = facts(a_book(started_at="2021-02-15"))["profit"]
    assert (told["today"], told["since_start"]) == (None, "0")


def test_what_the_owner_brings_is_no_gain_of_any_span() -> None:
    history("2021-01-16T09:00:00Z 700", "2021-02-08T08:00:00Z 800", "2021-02-14T23:59:59Z 1000")
    before = a_book(capital=D(1000), capital_started=D(500), started_at=OLD)
    after = with_cash_flow(before, D(3000), D(1000), MORNING)
    old, new = facts(before), facts(after)
    for name in ("profit", "gain", "largest_fall"):
        assert old[name] == new[name], name
    assert old["gain"] == "1"
    assert new["cash_flows"] == {"sum": "3000", "flows": [{"time": "2021-02-15T09:00:00Z", "amount": "3000"}]}
    shown = "\n".join(status_lines(new | {"pause_reason": ""}, MORNING, Catalog("en")))
    assert "+100.0 %" in shown
    assert "Brought and taken by you: +3,000.00 USDT in all (steps: 1)" in shown


@pytest.mark.parametrize(
    ("beat_age", "line"),
    [
        (10, "The bot runs since 2021-02-15 08:00 UTC, version 1.2"),
        (11, "No bot runs: nothing is watched, no stop-loss acts (last sign of life 2021-02-15 08:49 UTC)"),
    ],
)
def test_whether_a_bot_runs_is_told(beat_age: int, line: str) -> None:
    beat = f"{MORNING - timedelta(minutes=beat_age):%Y-%m-%dT%H:%M:%SZ}"
    content = {"time": beat, "since": "2021-02-15T08:00:00Z", "version": "1.2"}
    Path("heartbeat.paper.json").write_text(json.dumps(content))
    seen = LastSeen(time=MORNING - timedelta(minutes=3))
    shown = "\n".join(status_lines(facts(a_book(), seen=seen) | {"pause_reason": ""}, MORNING, Catalog("en")))
    assert line in shown
    assert ("Prices last checked 2021-02-15 08:57 UTC (next 2021-02-15 09:02 UTC)" in shown) is (beat_age == 10)


def test_what_waits_for_the_bot_is_told_until_the_book_has_it() -> None:
    control = ControlFiles(some_settings())
    request = request_deposit(control, D("500.5"))
    request_sale(control, "ADA")
    control.request_sell_all()
    book = a_book(excluded=frozenset({"DOT", "ADA"}))
    shown = "\n".join(status_lines(facts(book) | {"pause_reason": ""}, MORNING, Catalog("en")))
    waiting = shown.partition("Asked for, and waiting for the bot: ")[2].splitlines()[0]
    assert sorted(waiting.split(", ")) == ["deposit of 500.5 USDT", "sale of ADA", "sale of everything"]
    assert "Not bought, as you asked: ADA, DOT" in shown
    answer = RequestAnswer(outcome=RequestOutcome.DONE, time_ms=1)
    assert len(facts(a_book(answered_requests={request.request_id: answer}))["requests_waiting"]) == 2


def test_the_outcome_of_the_last_pass_is_told() -> None:
    rows = [
        a_trade("ms-1", reason="daily_sell", symbol="OP", time="2021-02-15T00:31:00Z"),
        a_trade("ms-2", reason="daily_buy", side="BUY", symbol="ARB", profit="", time="2021-02-15T00:32:00Z"),
        a_trade("ms-3", reason="daily_buy", side="BUY", symbol="ARB", profit="", time="2021-02-15T00:33:00Z"),
        a_trade("ms-4", reason="stop_loss", symbol="FET", time="2021-02-15T05:00:00Z"),
        a_trade("ms-5", reason="daily_sell", symbol="FET", time="2021-02-14T00:31:00Z"),
    ]
    saved(a_book(), *rows)
    assert facts(a_book(last_daily_update=TODAY))["last_daily_outcome"] == {"sold": ["OP"], "bought": ["ARB"]}
    assert facts(a_book())["last_daily_outcome"] == {"sold": [], "bought": []}


@pytest.mark.parametrize(
    ("scores", "language", "line"),
    [
        ("0.512,", "en", "score at the last daily pass 0.512"),
        ("0.34,0.512", "en", "score at the last daily pass 0.340 (a rank; the model said 0.512)"),
        ("0.34,0.512", "fr", "score à la dernière passe du jour : 0,340 (un rang ; le modèle disait 0,512)"),
        (",", "en", None),
    ],
)
def test_a_positions_score_is_told_and_the_models_own_where_it_is_a_rank(
    scores: str, language: Language, line: str | None
) -> None:
    score, raw = scores.split(",")
    row = f"2021-02-15,00:35,FET,true,{score},,,hold,,no_rule,,{raw}"
    Path("decisions.paper.csv").write_text(f"{','.join(COLUMNS)}\n{row.replace('02-15', '02-14')}\n{row}\n")
    told = facts(a_book(positions={"FET": bought_at("1")}, last_daily_update=date(2021, 2, 15)))
    assert told["positions"]["FET"]["score"] == (score or None)
    lines = [plain(one.strip()) for one in status_lines(told, MORNING, catalog_of(language)) if "score" in one]
    assert lines == ([] if line is None else [line])


def test_the_realised_profit_is_the_sum_of_the_journal() -> None:
    saved(a_book(), a_trade("ms-1", profit="-12.5"), a_trade("ms-2", profit=""), a_trade("ms-3", profit="20.25"))
    assert facts(a_book())["realised_profit"] == "7.75"


def test_without_trades_there_is_no_profit() -> None:
    assert facts(a_book())["realised_profit"] == "0"


def test_the_profit_has_the_trades_that_are_still_in_the_book() -> None:
    assert facts(a_book(unwritten_trades=(a_trade("ms-1", profit="5"),)))["realised_profit"] == "5"


def test_a_trade_that_is_in_book_and_journal_counts_once() -> None:
    saved(a_book(), a_trade("ms-1", profit="5"))
    told = facts(a_book(unwritten_trades=(a_trade("ms-1", profit="5"),)))
    assert told["realised_profit"] == "5"


@pytest.mark.parametrize(
    ("now", "last", "following"),
    [
        ("2021-02-15T00:10", "2021-02-14", "2021-02-15T00:30Z"),
        ("2021-02-15T09:00", "2021-02-15", "2021-02-16T00:30Z"),
        ("2021-02-15T09:00", "2021-02-14", "due now"),
        ("2021-02-15T00:30", None, "due now"),
        ("2021-02-15T00:29", None, "2021-02-15T00:30Z"),
    ],
)
def test_the_next_pass_is_told(now: str, last: str | None, following: str) -> None:
    book = a_book(last_daily_update=date.fromisoformat(last) if last else None)
    told = facts(book, now=datetime.fromisoformat(f"{now}Z"))
    assert (told["last_daily_update"], told["next_daily_update"]) == (last, following)


def test_doubts_and_an_open_plan_are_told() -> None:
    intents = {"ms-1": buy_intent(), "ms-2": sell_intent(client_order_id="ms-2", symbol="OP")}
    told = facts(a_book(intents=intents, plan=a_plan()), paused="for a reason")
    assert told["open_doubts"] == ["buy FET ms-1", "sell OP ms-2"]
    assert told["differences"] == []
    assert told["plan_under_way"] is True
    assert told["paused"] == "for a reason"
    assert facts(a_book())["plan_under_way"] is False


DIFFERENCES = {
    "short.FET.20.5": ("FET: the book has 100, Binance has 20.5", "FET : le registre du robot en a 100, Binance 20,5"),
    "short.OP.20.5": ("OP: an unknown position", "OP: an unknown position"),
    "pair.FET": ("FET: Binance does not know its pair", "FET : Binance ne connaît plus sa paire"),
    "closed.FET": ("FET: Binance takes no orders", "FET : Binance n'accepte pas d'ordres"),
    "sale.FET.ms-1-2": ("FET: Binance has executed a sale", "FET : Binance a exécuté une vente de ce robot"),
    "purchase.FET.ms-1-2": ("FET: Binance has executed a purchase", "FET : Binance a exécuté un achat de ce robot"),
    "capital": ("Binance has less USDT", "Binance has less USDT"),
    "of a kind to come": ("as it is", "as it is"),
}


@pytest.mark.parametrize("topic", DIFFERENCES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_what_differs_from_binance_is_shown(capsys: pytest.CaptureFixture[str], topic: str, language: Language) -> None:
    english, french = DIFFERENCES[topic]
    book = a_book(positions={"FET": a_position()}, differences={topic_from_text(topic): english})
    save_state(book, Path("bot_state.paper.json"), Disk())
    ControlFiles(some_settings()).pause(english, by_difference=True)
    assert show_status(some_settings(language=language), as_json=False) == 0
    shown = plain(capsys.readouterr().out)
    if language == "fr":
        assert f"Diffère de Binance : {french}" in shown
        assert "Achats : suspendus (par le robot" in shown
    else:
        assert f"Differs from Binance: {english}" in shown
    assert show_status(some_settings(language=language), as_json=True) == 0
    assert json.loads(capsys.readouterr().out)["differences"] == [english], "programs are told as ever"


def test_json_is_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    third = a_position(qty=D(3), entry_base=D(3), max_price=D(100) / 3)
    saved(a_book(positions={"FET": third}, last_daily_update=TODAY), a_trade(profit="1.5"))
    assert show_status(some_settings(), as_json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["positions"]["FET"]["qty"] == "3"
    assert told["realised_profit"] == "1.5"


def test_status_is_readable(capsys: pytest.CaptureFixture[str]) -> None:
    saved(a_book(positions={"FET": a_position()}))
    assert show_status(some_settings(), as_json=False) == 0
    shown = capsys.readouterr().out
    assert "FET: 100 bought at 1" in shown
    assert "Worth 1,100.00 USDT: 1,000.00 free, 100.00 in positions" in shown


def lines(book: Book, language: Language, seen: LastSeen | None = None, **changes: Any) -> list[str]:
    told = facts(book, seen=seen) | {"pause_reason": ""} | changes
    return [plain(line) for line in status_lines(told, MORNING, Catalog(language))]


def test_every_line_in_french() -> None:
    history("2021-02-14T10:00:00Z 1010")
    held = bought_at("0.10", did_skip_sell_once=True)
    armed = bought_at("0.10", trailing_armed=True, max_price=D("0.32"), partial_sold=True)
    sold = bought_at("1", exit_pending=OrderReason.SELL_ALL)
    book = a_book(
        positions={"ARB": armed, "FET": held, "OP": sold},
        started_at=OLD,
        last_daily_update=TODAY,
        intents={"ms-1": buy_intent()},
        differences={topic_from_text("x"): "FET: short"},
    )
    seen = LastSeen({"FET": (D("0.15"), datetime(2021, 2, 15, 8, 57, tzinfo=UTC))})
    assert [plain(line) for line in lines(book, "fr", seen, paused="oui")] == [
        "MarsShot, mode paper",
        "Valeur 1 125,00 USDT : 1 000,00 libres, 125,00 en positions",
        "Gain : aujourd'hui +115,00 USDT, sur 7 jours pas encore connu, sur 30 jours pas encore connu",
        "Gain depuis le début : +125,00 USDT (+12,5 %), dont +0,00 réalisé par les ventes ; "
        "démarré le 01/01/2021 avec 1 000,00 USDT",
        "Plus forte baisse depuis un sommet, depuis le début : 0,0 % (d'après equity.csv, une ligne par heure)",
        "Aucun robot ne tourne : rien n'est surveillé, aucun stop-loss n'agit",
        "Dernière passe du jour : 15/02/2021, rien vendu, rien acheté (pourquoi : decisions.csv)",
        "Prochaine passe : 16/02/2021 00:30 UTC",
        "Achats : suspendus (à votre demande) ; les ventes continuent. Pour les reprendre : python main.py resume",
        "Ordres dont l'issue est recherchée : buy FET ms-1",
        "Diffère de Binance : FET: short",
        "",
        "ARB : 100 achetés à 0,1, pour 10,00 USDT",
        "  aucun prix vu pour l'instant ; compté au prix d'achat",
        "  stop-loss à 0,05 ; une part a été vendue ; stop suiveur à 0,224",
        "",
        "FET : 100 achetés à 0,1, pour 10,00 USDT",
        "  prix 0,15, vu il y a 3 min : +50,0 %, valeur 15,00 USDT",
        "  stop-loss à 0,05 ; une part sera vendue à 0,2 ; stop suiveur armé à partir de 0,3 ; "
        "a déjà profité de son unique dispense de vente du jour",
        "",
        "OP : 100 achetés à 1, pour 100,00 USDT",
        "  aucun prix vu pour l'instant ; compté au prix d'achat",
        "  en cours de vente : vente de tout",
    ]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"mode": "demo"}, "Next daily pass: when the demo goes on"),
        ({"plan_under_way": True}, "Next daily pass: today's is under way"),
        ({}, "Next daily pass: today's is due; a running bot makes it now"),
        (
            {"put_off": "LunarCrush is down", "put_off_until": "2021-02-15T09:10:00Z"},
            "Next daily pass: today's is put off to 2021-02-15 09:10 UTC: LunarCrush is down",
        ),
        ({"last_daily_update": None}, "Last daily pass: none yet"),
        ({"last_daily_outcome": {"sold": ["A"], "bought": []}}, "Last daily pass: 2021-02-14, sold A"),
        ({"last_daily_outcome": {"sold": [], "bought": ["A", "B"]}}, "Last daily pass: 2021-02-14, bought A, B"),
        ({"paused": "x", "pause_reason": "FET is missing"}, "Buying: paused (FET is missing)"),
        ({}, "Buying: allowed"),
        ({}, "Orders whose outcome is being looked up: none"),
    ],
)
def test_what_is_said_of_the_passes(changes: dict[str, Any], line: str) -> None:
    shown = lines(a_book(last_daily_update=date(2021, 2, 14)), "en", **changes)
    assert any(one.startswith(line) for one in shown), shown


@pytest.mark.parametrize(("language", "told"), [("en", ": buy FET ms-1"), ("fr", " : achat FET ms-1")])
def test_an_order_in_doubt_is_named_in_the_owners_language(
    capsys: pytest.CaptureFixture[str], language: Language, told: str
) -> None:
    saved(a_book(intents={"ms-1": buy_intent()}))
    show_status(some_settings(language=language), as_json=False)
    assert told in plain(capsys.readouterr().out)


def test_the_next_pass_is_told_in_the_owners_time_as_well(capsys: pytest.CaptureFixture[str]) -> None:
    saved(a_book(last_daily_update=datetime.now(UTC).date()))
    show_status(some_settings(timezone="Asia/Tokyo"), as_json=False)
    assert " UTC (" in capsys.readouterr().out


def test_status_without_positions_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    saved(a_book())
    show_status(some_settings(), as_json=False)
    assert "No positions" in capsys.readouterr().out


def test_status_changes_nothing(folder: Path) -> None:
    saved(a_book(positions={"FET": a_position()}), a_trade())
    before = {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in folder.iterdir()}
    show_status(some_settings(), as_json=True)
    assert {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in folder.iterdir()} == before


def test_status_without_a_book_says_how_to_begin() -> None:
    with pytest.raises(InputError, match="there is no book yet"):
        show_status(some_settings(), as_json=False)


def test_status_of_a_book_of_another_mode_is_refused() -> None:
    save_state(a_book(mode="live"), Path("bot_state.paper.json"), Disk())
    with pytest.raises(InputError, match="was written in mode live"):
        show_status(some_settings(), as_json=False)


@pytest.mark.parametrize(
    "content",
    [
        b"time;symbol;profit\n1;FET;2\n",  # saved anew by a spreadsheet
        b"time,profit\n2021,-",  # a last line that a death left unfinished
        b"time,profit\n2021,\xff\n",
    ],
)
def test_status_copes_with_a_broken_journal(folder: Path, content: bytes) -> None:
    saved(a_book())
    (folder / "trades.paper.csv").write_bytes(content)
    try:
        show_status(some_settings(), as_json=True)
    except InputError as error:
        assert "trades.paper.csv" in str(error)


# --------------------------------------------------------------------------- pause and resume

FILES = {"live": "", "paper": ".paper", "demo": ".demo"}


def test_a_pause_of_the_bots_is_known_by_its_mark_and_tells_its_reason_without_it() -> None:
    control = ControlFiles(some_settings())
    control.pause("I am on holiday")
    assert not control.is_paused_by_difference()
    control.pause("FET: the book has 100", by_difference=True)
    control.pause()
    control.pause("ADA too")
    assert control.is_paused_by_difference(), "whatever is added"
    assert control.reason() == "I am on holiday FET: the book has 100 ADA too"
    assert control.resume()
    control.pause("FET: the book has 100")
    assert not control.is_paused_by_difference()


@pytest.mark.parametrize(
    ("by_difference", "differs", "told"), [(True, True, "by the bot"), (True, False, "why"), (False, True, "why")]
)
def test_a_pause_is_told_as_the_bots_while_what_differs_is_told_too(
    by_difference: bool, differs: bool, told: str
) -> None:
    control = ControlFiles(some_settings())
    control.pause("why", by_difference=by_difference)
    book = a_book(differences={topic_from_text("short.FET.60"): "FET"} if differs else {})
    assert pause_reason(control, book, Catalog("en")).startswith(told)


@pytest.mark.parametrize(("mode", "ending"), FILES.items())
def test_pause_is_a_file_of_its_mode(folder: Path, mode: str, ending: str) -> None:
    control = ControlFiles(some_settings(mode=mode))
    assert control.paused() == ""
    control.pause()
    assert [file.name for file in folder.iterdir()] == [f"PAUSE{ending}"]
    assert stat.S_IMODE((folder / f"PAUSE{ending}").stat().st_mode) == 0o600
    assert f"PAUSE{ending}" in control.paused()
    assert "resume" in control.paused()


@pytest.mark.parametrize("mode", FILES)
def test_resume_says_whether_it_was_paused(folder: Path, mode: str) -> None:
    control = ControlFiles(some_settings(mode=mode))
    assert control.resume() is False
    control.pause()
    control.pause()
    assert control.resume() is True
    assert control.paused() == ""
    # That the owner has looked waits for the bot: it then compares, and counts what is there.
    assert [path.name.split(".")[0] for path in folder.iterdir()] == ["RESUME"]


def test_a_pause_of_paper_leaves_live_alone() -> None:
    ControlFiles(some_settings(mode="paper")).pause()
    assert ControlFiles(some_settings(mode="live")).paused() == ""


@pytest.mark.parametrize("mode", ["paper", "demo"])
def test_a_resume_of_another_mode_leaves_live_paused(mode: str) -> None:
    ControlFiles(some_settings(mode="live")).pause()
    ControlFiles(some_settings(mode=mode)).resume()
    assert ControlFiles(some_settings(mode="live")).paused() != ""


@pytest.mark.parametrize(("mode", "ending"), FILES.items())
def test_sell_all_is_a_file_until_it_is_noted(folder: Path, mode: str, ending: str) -> None:
    control = ControlFiles(some_settings(mode=mode))
    assert not control.is_sell_all_requested()
    control.request_sell_all()
    assert [file.name for file in folder.iterdir()] == [f"SELL_ALL{ending}"]
    assert control.is_sell_all_requested()
    control.acknowledge_sell_all()
    control.acknowledge_sell_all()
    assert not control.is_sell_all_requested()


def test_sell_all_of_one_mode_is_not_the_others() -> None:
    ControlFiles(some_settings(mode="live")).request_sell_all()
    assert not ControlFiles(some_settings(mode="paper")).is_sell_all_requested()
    assert not ControlFiles(some_settings(mode="demo")).is_sell_all_requested()


def test_what_became_of_the_scores_stands_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    saved(a_book())
    show_status(some_settings(), as_json=False)
    *_, heading, line = capsys.readouterr().out.splitlines()
    assert heading == "Scores of 0.70 and more in the last 90 days"
    assert line.startswith("  none whose outcome is known yet")
    show_status(some_settings(), as_json=True)
    assert json.loads(capsys.readouterr().out)["scores"]["known"] == 0


@pytest.mark.parametrize(
    ("started_at", "change", "line"),
    [
        ("2021-02-08T12:00:00Z", "-0.050000", "BTC over the same time: -5.0 %"),
        ("2021-02-01T00:00:00Z", None, ""),  # no close so old is on this disk
        ("", None, ""),
    ],
)
def test_btc_stands_beside_the_gain_since_the_start(
    started_at: str, change: str | None, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = datetime.now(UTC)
    closes = (DailyClose(datetime(2021, 2, 8, tzinfo=UTC), 50_000.0), DailyClose(now, 47_500.0))
    monkeypatch.setattr(daily_candles, "bitcoin_closes", lambda _: closes)
    saved(a_book(started_at=started_at))
    show_status(some_settings(), as_json=True)
    told = json.loads(capsys.readouterr().out)["bitcoin_since_start"]
    assert (None if told is None else D(told)) == (None if change is None else D(change))
    show_status(some_settings(), as_json=False)
    assert [one for one in capsys.readouterr().out.splitlines() if one.startswith("BTC")] == ([line] if line else [])
