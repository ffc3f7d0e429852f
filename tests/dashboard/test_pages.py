"""What the pages show of the bot's files, in both languages; that they change nothing and escape everything."""

from __future__ import annotations

import html
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from marsshot.bot.control_files import CommandReply, ControlFiles
from marsshot.config.changes import plain_settings
from marsshot.core.book import PerformanceBase
from marsshot.core.reasons import OrderReason, QuietReason, UnsoldReason
from marsshot.dashboard.presentation.trade_list import ROWS_PER_PAGE
from marsshot.dashboard.security.access_control import ServerAddress
from marsshot.infra.atomic_files import Disk
from marsshot.portfolio.serialization import topic_from_text
from positions_store import save_state
from tests.helpers.builders import D, a_book, a_trade, bought_at, buy_intent, some_settings
from tests.helpers.dashboard_harness import (
    BASE_URL,
    address_with_token,
    open_dashboard,
    write_book,
    write_bot_files,
    write_decisions,
    write_equity,
    write_heartbeat,
    write_seen,
    write_settings,
)

PAGES = ("/", "/decisions", "/trades", "/performance", "/model", "/log")
HTML_INJECTION = "<script>alert(1)</script>"
ESCAPED = "&lt;script&gt;alert(1)&lt;/script&gt;"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def words_of(page: str) -> str:
    """Return what a page says, without its markup."""
    main = page.partition("<main")[2].partition(">")[2]
    return " ".join(re.sub(r"<[^>]+>", " ", main).split())


# --------------------------------------------------------------------------- overview


def test_the_overview_tells_what_there_is() -> None:
    write_bot_files()
    told = words_of(open_dashboard().text("/"))
    assert "1,069.75 USDT" in told  # 969.75 of capital, and FET at what it cost: no price is known
    assert "+7.0 %" in told
    assert "+69.75" in told  # -50.50 and +120.25
    assert "10.0 %" in told  # from 1100 to 990
    assert "no price seen yet" in told


def test_a_position_is_shown_with_its_rules() -> None:
    write_bot_files()
    told = words_of(open_dashboard().text("/"))
    assert "Positions: 1" in told
    for sentence in (
        "Stop-loss: sells all at or under 0.5",
        "Bought at 1",
        "Partial take-profit: sells a part from 2",
        "Trailing stop is armed from 3",
    ):
        assert sentence in told


def test_a_position_in_the_middle_of_its_life_is_shown() -> None:
    write_bot_files()
    held = bought_at(
        "1",
        trailing_armed=True,
        max_price=D("3.2"),
        partial_sold=True,
        did_skip_sell_once=True,
        exit_pending=OrderReason.TRAILING_STOP,
    )
    write_book(a_book(positions={"FET": held}))
    told = words_of(open_dashboard().text("/"))
    assert "Trailing stop: sells all at or under 2.24" in told
    assert "part sold" in told
    assert "skipped one daily sale" in told
    assert "being sold: trailing stop" in told
    assert "Partial take-profit" not in told


def test_without_a_book_the_page_says_how_to_begin() -> None:
    write_settings()
    assert "python main.py" in words_of(open_dashboard().text("/"))


def test_without_equity_the_line_is_what_sales_brought_and_says_so() -> None:
    write_bot_files()
    Path("equity.paper.csv").unlink()
    told = words_of(open_dashboard().text("/"))
    assert "Starting capital and what sales added" in told
    assert "open positions are not in this line" in told


def test_what_is_wrong_stands_at_the_top() -> None:
    write_bot_files()
    write_book(a_book(differences={topic_from_text("short"): "ADA: the book has 300"}, intents={"ms-9": buy_intent()}))
    ControlFiles(some_settings()).pause("coins are missing")
    ControlFiles(some_settings()).request_sell_all()
    told = words_of(open_dashboard().text("/trades"))
    assert "ADA: the book has 300" in told
    assert "FET (ms-1)" in told
    assert "coins are missing" in told
    assert "has not taken note yet" in told


def test_a_price_that_the_bot_has_seen_counts() -> None:
    write_bot_files()
    write_seen(FET="1.25")
    told = words_of(open_dashboard().text("/"))
    assert "1,094.75 USDT" in told
    assert "+25.0 %" in told
    assert "Stop-loss: sells all at or under 0.5 -60.0 %" in told
    assert "Price of 2021-02-19 12:00 UTC" in told


def test_what_was_gained_lately_and_the_next_pass_are_told() -> None:
    write_bot_files()
    told = words_of(open_dashboard().text("/"))
    assert "Gained today +0.00" in told
    assert "In 30 days ▲ +69.75" in told
    assert "Next daily pass" in told


def test_what_a_sale_of_everything_has_left_is_told_with_its_reason() -> None:
    write_bot_files()
    ControlFiles(some_settings()).write_reply(
        CommandReply(paused=True, sold_all=True, left={"FET": (UnsoldReason.NO_PRICE, HTML_INJECTION)})
    )
    page = open_dashboard().text("/")
    assert "no venue has a price for it now" in page
    assert ESCAPED in page


@pytest.mark.parametrize(
    ("beat", "is_silent"), [("2021-02-19T23:50:00Z", False), ("2021-02-19T23:49:59Z", True), ("nonsense", True)]
)
def test_a_bot_that_gives_no_sign_of_life_is_told(beat: str, is_silent: bool) -> None:
    write_bot_files()
    write_heartbeat(beat)
    assert ("no sign of life" in words_of(open_dashboard().text("/"))) == is_silent


# --------------------------------------------------------------------------- decisions


def test_the_last_days_decisions_are_shown_by_score() -> None:
    write_bot_files()
    told = words_of(open_dashboard().text("/decisions"))
    assert "Decisions of 2021-02-15" in told
    assert told.index("0.742") < told.index("0.612")
    assert "50.0 % of 4 unseen days" in told
    assert "0.550" not in told


def test_another_day_can_be_looked_at() -> None:
    write_bot_files()
    dashboard = open_dashboard()
    assert "0.550" in words_of(dashboard.text("/decisions?day=2021-02-14"))
    assert "day=2021-02-14" in dashboard.text("/decisions")
    assert "day=2021-02-15" in dashboard.text("/decisions?day=2021-02-14")
    assert "Decisions of 2021-02-15" in dashboard.text("/decisions?day=nonsense")


def test_a_token_without_a_score_stands_last() -> None:
    write_bot_files()
    write_decisions(
        "2021-02-15,,LUNA,false,,,,leave,,no_bar,no bar of yesterday",
        "2021-02-15,,FET,true,0.1,,,sell,98.5,below_sell_threshold,under 0.30",
    )
    told = words_of(open_dashboard().text("/decisions"))
    assert told.index("FET") < told.index("LUNA")
    assert "no score" in told
    assert "98.50" in told


def test_without_decisions_the_page_says_so() -> None:
    write_bot_files()
    Path("decisions.paper.csv").unlink()
    assert "No daily pass has noted down" in words_of(open_dashboard().text("/decisions"))


# --------------------------------------------------------------------------- trades


def test_trades_are_listed_newest_first() -> None:
    write_bot_files()
    told = words_of(open_dashboard().text("/trades"))
    assert "Trades: 3" in told
    assert told.index("2021-02-04 10:00") < told.index("2021-02-03 10:00") < told.index("2021-02-01 00:30")


@pytest.mark.parametrize(
    ("query", "count", "profit"),
    [
        ("symbol=OP", 1, "-50.50"),
        ("side=BUY", 1, "+0.00"),
        ("reason=trailing_stop", 1, "+120.25"),
        ("first=2021-02-03", 2, "+69.75"),
        ("last=2021-02-03", 2, "-50.50"),
        ("first=2021-02-04&last=2021-02-04", 1, "+120.25"),
        ("side=nonsense&reason=nonsense&first=nonsense&page=nonsense", 3, "+69.75"),
    ],
)
def test_trades_can_be_filtered(query: str, count: int, profit: str) -> None:
    write_bot_files()
    told = words_of(open_dashboard().text(f"/trades?{query}"))
    assert f"Trades: {count}" in told
    assert profit in told


def test_a_filter_that_keeps_nothing_shows_nothing() -> None:
    write_bot_files()
    assert "Trades: 0" in words_of(open_dashboard().text("/trades?symbol=XYZ"))


def test_many_trades_come_page_by_page_and_keep_the_filter() -> None:
    write_settings()
    many = [a_trade(f"ms-{n}", qty=D(n), profit="1") for n in range(1, 2 * ROWS_PER_PAGE + 2)]
    write_book(a_book(), many)
    dashboard = open_dashboard()
    first, last = dashboard.text("/trades?side=SELL"), dashboard.text("/trades?side=SELL&page=3")
    assert first.count('<th scope="row"') == ROWS_PER_PAGE
    assert last.count('<th scope="row"') == 1
    assert "Page 1 of 3" in words_of(first)
    assert "page=2&amp;side=SELL" in first
    assert "Page 3 of 3" in words_of(dashboard.text("/trades?page=99"))
    assert "Page 1 of 3" in words_of(dashboard.text("/trades?page=0"))


def test_a_trade_that_only_the_book_has_yet_is_listed_once() -> None:
    write_bot_files()
    save_state(a_book(unwritten_trades=(a_trade("ms-3"), a_trade("ms-4"))), Path("bot_state.paper.json"), Disk())
    assert "Trades: 4" in words_of(open_dashboard().text("/trades"))


# --------------------------------------------------------------------------- model and log


def a_model(**more: object) -> None:
    Path("model.paper.json").write_text(
        json.dumps(
            {
                "trained_at": "2021-02-01T10:00:00Z",
                "rows": 3552,
                "symbols": ["ADA", "BTC"],
                "first_date": "2020-03-26",
                "last_date": "2021-01-30",
                "base_rate": 0.2564,
                "hold_out": {
                    "rows": 858,
                    "first_date": "2020-12-15",
                    "base_rate": 0.4324,
                    "average_precision": 0.4523,
                    "roc_auc": 0.5311,
                    "buy": {"rows": 4, "hit_rate": 0.5},
                    "sell": {"rows": 0, "hit_rate": None},
                },
            }
            | more
        )
    )


def test_the_model_card_tells_the_facts() -> None:
    write_bot_files()
    a_model()
    told = words_of(open_dashboard().text("/model"))
    for fact in (
        "3,552 rows of 2 tokens",
        "0.452 (by chance 0.432)",
        "0.531 (by chance 0.500)",
        "4 rows, of which 50.0 %",
    ):
        assert fact in told
    assert "Scored for selling" not in told


def test_the_verdict_on_the_model_and_its_warnings_are_told() -> None:
    write_bot_files()
    reasons = [{"kind": "no_edge"}, {"kind": "few_dates", "dates": 12, "needed": HTML_INJECTION}]
    warning = {"kind": "never_bought", "threshold": "0.7", "dates": 12, "score": 0.61}
    a_model(verdict={"edge": False, "reasons": reasons}, warnings=[warning])
    page = open_dashboard().text("/model")
    assert "No edge." in page
    assert "12 dates are too few" in page
    assert ESCAPED in page
    assert "the bot would never have bought" in page


def test_the_verdict_of_an_older_version_is_told_without_its_prose() -> None:
    write_bot_files()
    a_model(verdict={"edge": False, "words": "No edge. It ..."}, warnings=["buy_threshold 0.7: never."])
    page = open_dashboard().text("/model")
    assert "By its report it has no edge." in page
    assert "buy_threshold 0.7: never." in page


def test_a_model_card_that_is_none_is_told_and_the_rest_shown() -> None:
    write_bot_files()
    Path("model.paper.json").write_text('{"trained_at": "yesterday"}')
    told = words_of(open_dashboard().text("/model"))
    assert "model.paper.json: trained_at" in told
    assert "train_model.py" in told


def test_what_became_of_the_scores_is_told_and_told_anew_after_a_pass() -> None:
    write_bot_files()
    row = "2021-02-{day},,NOBAR,false,0.9,0.6,50,buy,,x,y"
    write_decisions(row.format(day=15))
    dashboard = open_dashboard()
    assert "a daily bar is missing: 1" in words_of(dashboard.text("/model"))
    write_decisions(row.format(day=15), row.format(day=16))
    assert "a daily bar is missing: 2" in words_of(dashboard.text("/model"))
    write_decisions("2021-02-15,,FET,true,much,,,x,,x,y")
    assert "What became of the scores cannot be told" in words_of(dashboard.text("/model"))


def test_a_report_is_locked_into_a_policy_of_its_own() -> None:
    write_bot_files()
    dashboard = open_dashboard()
    assert dashboard.get("/report/model").status_code == 404
    Path("model_report.paper.html").write_text("<h1>report</h1>")
    assert '<iframe class="report" sandbox loading' in dashboard.text("/model")
    answer = dashboard.get("/report/model")
    assert answer.text == "<h1>report</h1>"
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("sandbox; ")
    assert "script-src" not in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'self'" in policy


@pytest.mark.parametrize("name", ["../config.yaml", "config.yaml", "..%2Fconfig.yaml", "trades"])
def test_no_other_file_can_be_asked_for(name: str) -> None:
    write_bot_files()
    assert open_dashboard().get(f"/report/{name}").status_code == 404


def test_the_log_is_shown_newest_first() -> None:
    write_bot_files()
    told = words_of(open_dashboard().text("/log"))
    assert told.index("coins are missing") < told.index("Coinbase does not know it") < told.index("1 bought")


@pytest.mark.parametrize(
    ("query", "lines"),
    [("level=WARNING", 2), ("level=ERROR", 1), ("level=INFO", 3), ("text=COINBASE", 1), ("level=ERROR&text=luna", 0)],
)
def test_the_log_can_be_filtered(query: str, lines: int) -> None:
    write_bot_files()
    assert open_dashboard().text(f"/log?{query}").count("<time ") == lines


def test_a_log_that_cannot_be_read_is_told() -> None:
    write_bot_files()
    Path("bot.paper.log").unlink()
    assert "No such line" in words_of(open_dashboard().text("/log"))
    Path("bot.paper.log").mkdir()
    assert "Cannot be shown: bot.paper.log" in words_of(open_dashboard().text("/log"))


# --------------------------------------------------------------------------- charts and pulse


def test_the_charts_have_their_points() -> None:
    write_bot_files()
    dashboard = open_dashboard()
    worth = dashboard.text("/chart/worth")
    assert "2021-02-04 00:00 UTC: 1,069.75" in worth
    assert "bought FET for 100.00 at 1" in worth
    assert "inverted_triangle" in worth
    assert "2021-02-03 00:00 UTC: -10.0 %" in dashboard.text("/chart/fall")
    assert dashboard.get("/chart/other").status_code == 404


def test_money_that_was_brought_or_taken_is_marked_where_the_worth_jumps() -> None:
    write_bot_files()
    dashboard = open_dashboard()
    assert "brought or taken out" not in words_of(dashboard.text("/"))
    Path("cash_flows.paper.csv").write_text(
        "time,amount,capital_after\n2021-02-02T10:00:00Z,500,1500\n2021-02-03T10:00:00Z,-20.5,1479.5\n"
    )
    worth = dashboard.text("/chart/worth")
    assert "2021-02-02 10:00 UTC: you brought 500.00" in worth
    assert "2021-02-03 10:00 UTC: you took out 20.50" in worth
    assert "diamond" in worth
    assert "brought or taken out" in words_of(dashboard.text("/"))


def test_of_very_many_trades_some_are_marked_and_the_page_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    write_bot_files()
    assert "are marked" not in words_of(open_dashboard().text("/"))
    monkeypatch.setattr("marsshot.dashboard.presentation.time_charts.MAX_MARKERS", 1)
    assert "Of 3 trades, 2 are marked" in words_of(open_dashboard().text("/"))


def test_a_chart_that_has_not_changed_is_not_sent_again() -> None:
    write_bot_files()
    dashboard = open_dashboard()
    tag = dashboard.get("/chart/worth").headers["ETag"]
    again = dashboard.get("/chart/worth", headers={"If-None-Match": tag})
    assert (again.status_code, again.data) == (304, b"")
    assert dashboard.get("/chart/worth?theme=dark", headers={"If-None-Match": tag}).status_code == 200
    write_equity("1000", "1100", "1200")
    assert dashboard.get("/chart/worth", headers={"If-None-Match": tag}).status_code == 200


def test_without_points_there_is_no_chart() -> None:
    write_settings()
    write_book(a_book())
    dashboard = open_dashboard()
    assert dashboard.get("/chart/worth").status_code == 404
    assert "data-chart" not in dashboard.text("/")


def test_btc_is_drawn_where_its_prices_are_and_else_told_missing() -> None:
    write_bot_files()
    assert "BTC is not drawn" in words_of(open_dashboard().text("/"))
    write_settings(mode="demo")
    write_book(a_book(mode="demo", started_at="2021-02-01T00:00:00Z"))
    Path("equity.paper.csv").rename("equity.demo.csv")
    told = words_of(open_dashboard().text("/"))
    assert "BTC is not drawn" not in told
    assert "Holding BTC instead" in told


@pytest.mark.parametrize(
    "file", ["bot_state.paper.json", "trades.paper.csv", "decisions.paper.csv", "equity.paper.csv", "bot.paper.log"]
)
def test_the_pulse_changes_with_every_file(file: str) -> None:
    write_bot_files()
    dashboard = open_dashboard()
    before = dashboard.text("/pulse")
    assert dashboard.text("/pulse") == before
    with Path(file).open("a") as more:
        more.write("\n")
    assert dashboard.text("/pulse") != before


def test_a_change_of_the_settings_is_taken_up_and_another_mode_is_not() -> None:
    write_bot_files()
    dashboard = open_dashboard()
    dashboard.text("/")
    strategy = strategy_with(stop_loss_pct=D("0.4"))
    write_settings(strategy=strategy)
    assert "sells all at or under 0.6" in words_of(dashboard.text("/"))
    write_settings(mode="live", strategy=strategy)
    assert "Paper" in dashboard.text("/")
    Path("config.yaml").write_text("mode: nonsense")
    told = words_of(dashboard.text("/"))
    assert "config.yaml" in told
    assert "sells all at or under 0.6" in told


def strategy_with(**changes: object) -> dict[str, object]:
    return {**some_settings().strategy.model_dump(), **changes}


# --------------------------------------------------------------------------- what is broken


def test_lines_of_equity_that_make_no_sense_are_left_out() -> None:
    write_bot_files()
    Path("equity.paper.csv").write_bytes(b"time,capital,positions,equity\n2021-02-01T00:00:00Z,1,0,1\n\xff,x\n1,2\n")
    dashboard = open_dashboard()
    assert dashboard.get("/chart/worth").status_code == 404
    assert "1,069.75" in dashboard.text("/")


@pytest.mark.parametrize("file", ["trades.paper.csv", "decisions.paper.csv"])
@pytest.mark.parametrize("content", [b"a;b;c\n1;2;3\n", b"\xff\xfe\n\x00", b"time,day\n1,2\n"])
def test_a_broken_file_is_told_and_the_rest_is_shown(file: str, content: bytes) -> None:
    write_bot_files()
    Path(file).write_bytes(content)
    for address in ("/decisions",) if "decisions" in file else ("/", "/trades"):
        assert f"Cannot be shown: {file}" in words_of(open_dashboard().text(address))
    for address in PAGES:
        open_dashboard().text(address)


@pytest.mark.parametrize("file", ["trades.paper.csv", "decisions.paper.csv", "equity.paper.csv"])
def test_a_line_that_is_being_written_is_left_out(file: str) -> None:
    write_bot_files()
    whole = words_of(open_dashboard().text("/trades"))
    with Path(file).open("a") as more:
        more.write("2021-02-05,")
    assert words_of(open_dashboard().text("/trades")) == whole


def test_a_broken_book_is_told_and_the_trades_are_shown() -> None:
    write_bot_files()
    Path("bot_state.paper.json").write_text("{")
    assert "bot_state.paper.json: is not JSON" in words_of(open_dashboard().text("/"))
    assert "Trades: 3" in words_of(open_dashboard().text("/trades"))


def test_looking_changes_no_file(folder: Path) -> None:
    write_bot_files()
    a_model()

    def everything() -> dict[Path, tuple[bytes, int]]:
        return {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in folder.rglob("*") if file.is_file()}

    before, dashboard = everything(), open_dashboard()
    for address in (*PAGES, "/chart/worth", "/chart/fall", "/pulse", "/prefer?language=fr", "/nothing"):
        dashboard.get(address)
    assert everything() == before


# --------------------------------------------------------------------------- what came from outside


def test_names_and_texts_from_outside_are_escaped() -> None:
    write_bot_files()
    held = {HTML_INJECTION: bought_at("1")}
    write_book(
        a_book(positions=held, differences={topic_from_text("x"): HTML_INJECTION}),
        [a_trade("ms-8", symbol=HTML_INJECTION, reason=HTML_INJECTION, side=HTML_INJECTION)],
    )
    write_decisions(f"2021-02-15,,{HTML_INJECTION},true,0.5,,,{HTML_INJECTION},,{HTML_INJECTION},{HTML_INJECTION}")
    with Path("bot.paper.log").open("a") as log:
        log.write(
            f"2021-02-15T00:30:00Z INFO {HTML_INJECTION} x={HTML_INJECTION} | {HTML_INJECTION}\n{HTML_INJECTION}\n"
        )
    ControlFiles(some_settings()).pause(HTML_INJECTION)
    dashboard = open_dashboard()
    for address in (
        *PAGES,
        f"/log?text={HTML_INJECTION}",
        f"/trades?symbol={HTML_INJECTION}",
        f"/{HTML_INJECTION}",
        f"/decisions?day={HTML_INJECTION}",
        f"/token?symbol={HTML_INJECTION}",
        f"/performance?sort={HTML_INJECTION}",
    ):
        page = dashboard.get(address).text
        assert HTML_INJECTION not in page, address
        if address != f"/{HTML_INJECTION}":
            assert ESCAPED in page, address


def test_secrets_are_blanked_out_of_whatever_shows_them() -> None:
    write_bot_files()
    secret = "a-key&of<some>length'\""
    write_settings(lunarcrush={"api_key": secret})
    with Path("bot.paper.log").open("a") as log:
        log.write(f"2021-02-15T00:30:00Z INFO leak | {secret}\n")
    write_decisions(f"2021-02-15,,FET,true,0.5,,,keep,,x,{secret}")
    for address in ("/log", "/decisions"):
        page = open_dashboard().text(address)
        assert secret not in html.unescape(page)
        assert "***" in page


# --------------------------------------------------------------------------- language, theme, headers


def test_the_page_speaks_the_bots_language_or_the_browsers() -> None:
    write_bot_files()
    dashboard = open_dashboard()
    assert '<html lang="en"' in dashboard.text("/")
    assert dashboard.get("/prefer?language=fr&back=trades").headers["Location"] == "/trades"
    assert '<html lang="fr"' in dashboard.text("/")
    assert "1\u202f069,75" in dashboard.text("/")
    write_settings(language="fr")
    assert "Aperçu" in open_dashboard().text("/")


@pytest.mark.parametrize("address", PAGES)
def test_every_page_is_there_in_french(address: str) -> None:
    write_bot_files()
    a_model()
    dashboard = open_dashboard()
    dashboard.get("/prefer?language=fr")
    assert '<html lang="fr"' in dashboard.text(address)


def test_a_theme_is_kept_by_the_browser() -> None:
    write_bot_files()
    dashboard = open_dashboard()
    assert 'data-theme="auto"' in dashboard.text("/")
    dashboard.get("/prefer?theme=dark")
    assert 'data-theme="dark"' in dashboard.text("/")
    dashboard.get("/prefer?theme=nonsense&language=nonsense")
    assert 'data-theme="dark"' in dashboard.text("/")


@pytest.mark.parametrize("back", ["//evil.example", "https://evil.example", "static", "nothing", ""])
def test_a_preference_leads_back_to_a_page_and_nowhere_else(back: str) -> None:
    write_bot_files()
    assert open_dashboard().get(f"/prefer?theme=dark&back={back}").headers["Location"] == "/"


@pytest.mark.parametrize("address", [*PAGES, "/nothing", "/pulse", "/static/dashboard.css"])
def test_every_answer_has_its_headers(address: str) -> None:
    write_bot_files()
    headers = open_dashboard().get(address).headers
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self';")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Frame-Options"] == "DENY"


def test_every_answer_has_a_nonce_of_its_own() -> None:
    write_bot_files()
    dashboard = open_dashboard()
    assert (
        dashboard.get("/").headers["Content-Security-Policy"] != dashboard.get("/").headers["Content-Security-Policy"]
    )


def test_pages_are_kept_by_nobody_and_scripts_for_long() -> None:
    write_bot_files()
    dashboard = open_dashboard()
    assert dashboard.get("/").headers["Cache-Control"] == "no-store"
    script = re.search(r'src="(/bokeh[^"]+)"', dashboard.text("/"))
    assert script is not None
    packed = dashboard.get(script[1], headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "immutable" in packed.headers["Cache-Control"]
    assert b"Bokeh" in dashboard.get(script[1]).data
    style = re.search(r'href="(/static/dashboard.css[^"]+)"', dashboard.text("/"))
    assert style is not None
    assert "max-age=31536000" in dashboard.get(style[1]).headers["Cache-Control"]


def test_nothing_is_loaded_from_elsewhere() -> None:
    write_bot_files()
    dashboard = open_dashboard()
    for address in PAGES:
        found = re.findall(r'(?:src|href|action)="([^"]*)"', dashboard.text(address))
        assert found
        assert all(one.startswith("/") and not one.startswith("//") for one in found if not one.startswith("#"))


def test_a_strange_name_of_the_host_is_refused() -> None:
    write_bot_files()
    dashboard = open_dashboard()
    for address in (*PAGES, "/static/dashboard.css", "/pulse"):
        assert dashboard.client.get(address, base_url="http://evil.example:8377").status_code == 421
    assert dashboard.client.get("/", base_url="http://localhost:8377").status_code == 200


@pytest.mark.parametrize("server_address", [None, address_with_token()])
def test_nothing_but_looking_is_possible_without_a_login(server_address: ServerAddress | None, folder: Path) -> None:
    write_bot_files()
    dashboard = open_dashboard(server_address)
    for address in ("/control/pause", "/control/resume", "/control/sell-all", "/", "/trades", "/pulse"):
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            answer = dashboard.client.open(
                address, method=method, base_url=BASE_URL, data={"sure": "yes", "word": "SELL"}
            )
            assert answer.status_code in {400, 401, 404, 405}, (address, method)
    assert not {file.name for file in folder.iterdir()} & {"PAUSE.paper", "SELL_ALL.paper", "PAUSE", "SELL_ALL"}


def test_without_a_token_there_are_no_buttons() -> None:
    write_bot_files()
    dashboard = open_dashboard()
    for address in PAGES:
        assert "control" not in re.findall(r'href="/(\w+)"', dashboard.text(address))
    assert dashboard.get("/control").status_code == 404
    assert dashboard.get("/login").status_code == 404


# --------------------------------------------------------------------------- a running bot's troubles, money moved


def write_running_bot(moment: str, **settings: str) -> None:
    trouble = {"kind": "no_price", "subject": "FET", "since": "2021-02-19T20:00:00Z"}
    state = {"troubles": [trouble], "settings": plain_settings(some_settings()) | settings, "awaiting_restart": []}
    Path("heartbeat.paper.json").write_text(json.dumps({"time": moment, "mode": "paper", "pid": 1, **state}))


def test_lasting_troubles_and_settings_that_are_not_taken_from_the_file_stand_at_the_top() -> None:
    write_bot_files()
    write_running_bot("2021-02-19T23:55:00Z", **{"strategy.check_interval_seconds": "77"})
    for address in PAGES:
        told = words_of(open_dashboard().text(address))
        assert "FET: no price since 2021-02-19 20:00 UTC" in told
        assert "77" in told


def test_what_a_bot_told_that_does_not_run_any_more_stands_no_longer() -> None:
    write_bot_files()
    write_running_bot("2021-02-19T23:45:00Z")
    told = words_of(open_dashboard().text("/"))
    assert "no sign of life since" in told
    assert "no price since" not in told


def test_the_end_of_a_ban_stands_at_the_top_until_it_is_there() -> None:
    until = datetime(2021, 2, 20, 0, 30, tzinfo=UTC)
    write_bot_files()
    ban = {"exchange_quiet_until_ms": int(until.timestamp() * 1000), "exchange_quiet_reason": QuietReason.BAN}
    write_book(a_book(**ban))
    dashboard = open_dashboard()
    assert "2021-02-20 00:30 UTC" in words_of(dashboard.text("/"))
    dashboard.wait(timedelta(minutes=30))
    assert "2021-02-20 00:30 UTC" not in words_of(dashboard.text("/"))


def test_what_was_brought_and_taken_stands_among_the_results() -> None:
    write_bot_files()
    assert "Deposits and withdrawals" not in open_dashboard().text("/performance")
    Path("cash_flows.paper.csv").write_text(
        "time,amount,capital_after\n2021-02-05T10:00:00Z,500,1400\n2021-02-06T10:00:00Z,-120.5,1279.5\n"
    )
    write_book(a_book(performance_base=PerformanceBase(net_flows=D("379.5"))))
    told = words_of(open_dashboard().text("/performance"))
    newest = "2021-02-06 10:00 UTC withdrawn -120.50 1,279.50 2021-02-05 10:00 UTC deposited +500.00 1,400.00"
    assert newest in told
    assert "Altogether +379.50 USDT" in told
