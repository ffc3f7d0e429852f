"""Login, logout and the buttons: the token, the forged form, the confirmation, and what the bot is asked."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from marsshot.bot.control_files import CommandReply, ControlFiles
from marsshot.core.reasons import UnsoldReason
from marsshot.dashboard.security.access_control import (
    SESSION_LIFETIME,
    ServerAddress,
)
from marsshot.dashboard.security.login_throttle import CROWD, MAX_ATTEMPTS_PER_ADDRESS, THROTTLE_WINDOW
from tests.helpers.builders import some_settings
from tests.helpers.dashboard_harness import (
    BASE_URL,
    TOKEN,
    DashboardHarness,
    address_with_token,
    open_dashboard,
    write_bot_files,
    write_settings,
)
from tests.helpers.trading_harness import open_trading_harness

PAGES = (
    "/",
    "/decisions",
    "/trades",
    "/performance",
    "/token?symbol=FET",
    "/model",
    "/log",
    "/control",
    "/chart/worth",
    "/chart/price?symbol=FET",
    "/report/model",
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_bot_files()
    return tmp_path


@pytest.fixture
def dashboard() -> DashboardHarness:
    return open_dashboard(address_with_token())


@pytest.fixture
def owner(dashboard: DashboardHarness) -> DashboardHarness:
    assert dashboard.log_in().status_code == 303
    return dashboard


def asked(folder: Path) -> set[str]:
    """Return what is asked for: the control files, those with a name of their own by what stands in them."""
    requests, unreadable = ControlFiles(some_settings()).owner_requests()
    assert unreadable == []
    return {file.name for file in folder.iterdir() if file.name.startswith(("PAUSE", "SELL_ALL"))} | {
        f"{one.kind} {one.symbol or one.amount}" for one in requests
    }


TOKEN_BUTTONS = ("sell", "exclude", "include", "deposit", "withdraw")


# --------------------------------------------------------------------------- login


@pytest.mark.parametrize("address", PAGES)
def test_with_a_token_nothing_is_shown_before_the_login(dashboard: DashboardHarness, address: str) -> None:
    answer = dashboard.get(address)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/login")
    assert "FET" not in answer.text


def test_the_pulse_says_that_a_login_is_needed(dashboard: DashboardHarness) -> None:
    assert dashboard.get("/pulse").status_code == 401


def test_the_login_page_shows_nothing_of_the_bot(dashboard: DashboardHarness) -> None:
    page = dashboard.text("/login")
    for word in ("FET", "Paper", "1,069", TOKEN):
        assert word not in page


def test_the_token_lets_in(owner: DashboardHarness) -> None:
    assert "FET" in owner.text("/")
    assert owner.get("/login").headers["Location"] == "/"


@pytest.mark.parametrize("wrong", ["", "wrong", TOKEN[:-1], TOKEN + "x", TOKEN.upper()])
def test_another_token_does_not(dashboard: DashboardHarness, wrong: str) -> None:
    answer = dashboard.log_in(wrong)
    assert answer.status_code == 403
    assert "not the token" in answer.text
    assert dashboard.get("/").status_code == 302


def test_blanks_around_a_pasted_token_do_no_harm(dashboard: DashboardHarness) -> None:
    assert dashboard.log_in(f" {TOKEN}\n").status_code == 303


def test_a_token_in_the_address_is_not_looked_at(dashboard: DashboardHarness) -> None:
    for address in (f"/?token={TOKEN}", f"/login?token={TOKEN}", f"/trades?token={TOKEN}&name={TOKEN}"):
        assert "FET" not in dashboard.get(address).text
    headers = {"Authorization": f"Bearer {TOKEN}", "Cookie": f"token={TOKEN}; marsshot-8377={TOKEN}"}
    assert dashboard.get("/", headers=headers).status_code == 302


def test_after_five_wrong_tokens_the_right_one_has_to_wait_too(dashboard: DashboardHarness) -> None:
    for _ in range(MAX_ATTEMPTS_PER_ADDRESS):
        assert dashboard.log_in("wrong").status_code == 403
    answer = dashboard.log_in()
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) <= THROTTLE_WINDOW.total_seconds() + 1
    dashboard.wait(THROTTLE_WINDOW)
    assert dashboard.log_in().status_code == 303


def test_five_wrong_tokens_from_one_address_keep_no_other_waiting(dashboard: DashboardHarness) -> None:
    for _ in range(MAX_ATTEMPTS_PER_ADDRESS):
        dashboard.log_in("wrong", "203.0.113.1")
    assert dashboard.log_in(TOKEN, "203.0.113.1").status_code == 429
    assert dashboard.log_in(TOKEN, "203.0.113.2").status_code == 303


def test_a_crowd_of_wrong_tokens_keeps_no_address_from_its_first_try(dashboard: DashboardHarness) -> None:
    for number in range(CROWD):
        assert dashboard.log_in("wrong", f"198.51.100.{number}").status_code == 403
    assert dashboard.log_in("wrong", "203.0.113.1").status_code == 403
    assert dashboard.log_in(TOKEN, "203.0.113.1").status_code == 429
    assert dashboard.log_in(TOKEN, "203.0.113.2").status_code == 303


def test_a_browser_that_had_the_token_does_not_wait_for_others_at_its_address(owner: DashboardHarness) -> None:
    """Behind an SSH tunnel, or a proxy that names nobody, everybody has the same address."""
    owner.post("/logout", "/")
    stranger = owner.another_browser()
    for _ in range(MAX_ATTEMPTS_PER_ADDRESS):
        assert stranger.log_in("wrong").status_code == 403
    assert stranger.log_in().status_code == 429
    assert owner.log_in().status_code == 303


def test_such_a_browser_has_five_tries_of_its_own_and_no_more(owner: DashboardHarness) -> None:
    owner.post("/logout", "/")
    for _ in range(MAX_ATTEMPTS_PER_ADDRESS):
        assert owner.log_in("wrong").status_code == 403
    assert owner.log_in().status_code == 429
    assert owner.another_browser().log_in().status_code == 303


@pytest.mark.parametrize("forged", ["", "name", "name.", "name.00", ".", "é.é"])
def test_a_forged_mark_has_no_tries_of_its_own(dashboard: DashboardHarness, forged: str) -> None:
    for number in range(MAX_ATTEMPTS_PER_ADDRESS):
        dashboard.client.set_cookie("marsshot-8377-known", f"{forged}{number}", domain="127.0.0.1")
        assert dashboard.log_in("wrong").status_code == 403
    assert dashboard.log_in().status_code == 429


def test_the_cookie_is_kept_from_scripts_and_other_sites(dashboard: DashboardHarness) -> None:
    cookies = dashboard.log_in().headers.getlist("Set-Cookie")
    assert [cookie.partition("=")[0] for cookie in cookies] == ["marsshot-8377-known", "marsshot-8377"]
    for cookie in cookies:
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert "Path=/" in cookie
        assert TOKEN not in cookie
        assert "Secure" not in cookie


def test_behind_https_the_cookie_is_for_https_alone() -> None:
    dashboard = open_dashboard(ServerAddress("127.0.0.1", 8377, TOKEN, "https://bot.example"))
    page = dashboard.client.get("/login", base_url="https://bot.example")
    cookie = page.headers["Set-Cookie"]
    assert cookie.startswith("__Host-marsshot=")
    assert "Secure" in cookie


def test_a_session_ends_after_a_day(owner: DashboardHarness) -> None:
    owner.wait(SESSION_LIFETIME - timedelta(seconds=1))
    assert owner.get("/").status_code == 200
    owner.wait(timedelta(seconds=1))
    assert owner.get("/").status_code == 302


def test_a_cookie_from_before_the_logout_is_worth_nothing(owner: DashboardHarness) -> None:
    cookie = owner.client.get_cookie("marsshot-8377", domain="127.0.0.1")
    assert cookie is not None
    assert owner.post("/logout", "/").status_code == 303
    owner.client.set_cookie("marsshot-8377", cookie.value, domain="127.0.0.1")
    assert owner.get("/").status_code == 302


def test_a_cookie_of_another_process_is_worth_nothing(owner: DashboardHarness) -> None:
    cookie = owner.client.get_cookie("marsshot-8377", domain="127.0.0.1")
    assert cookie is not None
    other = open_dashboard(address_with_token())
    other.client.set_cookie("marsshot-8377", cookie.value, domain="127.0.0.1")
    assert other.get("/").status_code == 302


def test_the_token_stands_in_no_page(owner: DashboardHarness) -> None:
    Path("bot.paper.log").write_text(f"2021-02-15T00:30:00Z INFO leak | {TOKEN}\n")
    for address in PAGES:
        assert TOKEN not in owner.get(address).text


# --------------------------------------------------------------------------- forged forms


@pytest.mark.parametrize("key", [None, "", "another"])
def test_a_form_that_the_page_did_not_give_out_does_nothing(
    owner: DashboardHarness, folder: Path, key: str | None
) -> None:
    data = {"sure": "yes", "word": "SELL"} | ({} if key is None else {"csrf_token": key})
    data |= {"symbol": "FET", "amount": "5"}
    actions = [f"/control/{one}" for one in ("pause", "resume", "sell-all", *TOKEN_BUTTONS)]
    for address in (*actions, "/logout"):
        assert owner.client.post(address, data=data, base_url=BASE_URL).status_code == 400
    assert asked(folder) == set()
    assert owner.get("/").status_code == 200


def test_a_form_from_another_site_does_nothing(owner: DashboardHarness, folder: Path) -> None:
    key = owner.text("/control").split('name="csrf_token" value="')[1].split('"')[0]
    for site in ("cross-site", "same-site"):
        answer = owner.client.post(
            "/control/pause",
            data={"csrf_token": key, "sure": "yes"},
            base_url=BASE_URL,
            headers={"Sec-Fetch-Site": site},
        )
        assert answer.status_code == 400
    assert asked(folder) == set()


def test_the_csrf_token_changes_with_the_login(dashboard: DashboardHarness) -> None:
    before = dashboard.text("/login").split('name="csrf_token" value="')[1].split('"')[0]
    dashboard.log_in()
    assert before not in dashboard.text("/control")


@pytest.mark.parametrize(
    "address",
    [
        "/control/pause",
        "/control/resume",
        "/control/sell-all",
        "/logout",
        *(f"/control/{one}" for one in TOKEN_BUTTONS),
    ],
)
def test_a_button_is_never_pressed_by_a_link(owner: DashboardHarness, folder: Path, address: str) -> None:
    assert owner.get(address).status_code == 405
    assert asked(folder) == set()


def test_a_form_that_is_too_large_is_refused(owner: DashboardHarness) -> None:
    assert owner.post("/control/pause", "/control", sure="y" * 20_000).status_code == 413


# --------------------------------------------------------------------------- the buttons


def test_pause_and_resume_are_those_of_the_commands(owner: DashboardHarness, folder: Path) -> None:
    assert owner.post("/control/pause", "/control", sure="yes").headers["Location"] == "/control"
    assert asked(folder) == {"PAUSE.paper"}
    page = owner.text("/control")
    assert "Buying is paused." in page
    assert "Buying is paused." not in owner.text("/control")  # said once
    owner.post("/control/resume", "/control", sure="yes")
    assert asked(folder) == set()
    assert "Buying is allowed again." in owner.text("/control")


def test_a_pause_keeps_the_reasons_that_are_there(owner: DashboardHarness) -> None:
    ControlFiles(some_settings()).pause("coins are missing")
    owner.post("/control/pause", "/control", sure="yes")
    assert "coins are missing" in ControlFiles(some_settings()).paused()


def test_buying_that_the_live_bot_has_paused_stays_paused(owner: DashboardHarness) -> None:
    ControlFiles(some_settings(mode="live")).pause()
    owner.post("/control/resume", "/control", sure="yes")
    page = owner.text("/control")
    assert "could not be done" in page
    assert "Buying is allowed again." not in page


def test_buying_stays_paused_while_a_sale_of_everything_waits(owner: DashboardHarness, folder: Path) -> None:
    owner.post("/control/sell-all", "/control", word="SELL")
    owner.post("/control/resume", "/control", sure="yes")
    assert asked(folder) == {"PAUSE.paper", "SELL_ALL.paper"}
    assert "still waiting (SELL_ALL.paper)" in owner.text("/control")


def test_an_answer_to_an_earlier_sale_is_forgotten_with_the_next(owner: DashboardHarness) -> None:
    control = ControlFiles(some_settings())
    control.write_reply(CommandReply(paused=True, sold_all=True, left={"FET": (UnsoldReason.REFUSED, "")}))
    assert "could not be sold now" in owner.text("/")
    owner.post("/control/sell-all", "/control", word="SELL")
    assert "could not be sold now" not in owner.text("/")


@pytest.mark.parametrize("sure", ["", "no", "Yes"])
def test_without_the_tick_nothing_is_done(owner: DashboardHarness, folder: Path, sure: str) -> None:
    owner.post("/control/pause", "/control", sure=sure)
    assert asked(folder) == set()
    assert "Nothing was done" in owner.text("/control")
    ControlFiles(some_settings()).pause()
    owner.post("/control/resume", "/control", sure=sure)
    assert asked(folder) == {"PAUSE.paper"}


@pytest.mark.parametrize("word", ["", "SEL", "SELLALL", "yes", "VENDRE"])
def test_without_the_word_nothing_is_sold(owner: DashboardHarness, folder: Path, word: str) -> None:
    owner.post("/control/sell-all", "/control", word=word)
    assert asked(folder) == set()
    assert "the word was another one" in owner.text("/control")


@pytest.mark.parametrize(("language", "word"), [("en", "SELL"), ("en", " sell "), ("fr", "VENDRE"), ("fr", "vendre")])
def test_the_word_sells_and_pauses(owner: DashboardHarness, folder: Path, language: str, word: str) -> None:
    assert owner.get(f"/prefer?language={language}&back=control").headers["Location"] == "/control"
    owner.post("/control/sell-all", "/control", word=word)
    assert asked(folder) == {"PAUSE.paper", "SELL_ALL.paper"}


def test_a_disk_that_refuses_is_told(owner: DashboardHarness, folder: Path) -> None:
    (folder / "PAUSE.paper").mkdir()
    owner.post("/control/pause", "/control", sure="yes")
    assert "could not be done" in owner.text("/control")


# --------------------------------------------------------------------------- one token, money


@pytest.mark.parametrize(
    ("button", "values", "request_made"),
    [
        ("sell", {"symbol": "FET", "word": " sell "}, "sell FET"),
        ("exclude", {"symbol": "FET", "sure": "yes"}, "exclude FET"),
        ("include", {"symbol": "FET", "sure": "yes"}, "include FET"),
        ("deposit", {"amount": "200,50", "sure": "yes"}, "deposit 200.50"),
        ("withdraw", {"amount": "200.50", "sure": "yes"}, "withdraw 200.50"),
    ],
)
def test_a_button_asks_what_its_command_asks(
    owner: DashboardHarness, folder: Path, button: str, values: dict[str, str], request_made: str
) -> None:
    assert owner.post(f"/control/{button}", "/control", **values).headers["Location"] == "/control"
    assert asked(folder) == {request_made}
    page = owner.text("/control")
    assert "The bot is asked." in page
    assert "The bot is asked." not in owner.text("/control")  # said once
    for address in ("/", "/log", "/token?symbol=FET"):
        page = owner.text(address)
        assert "Asked for: " in page
        assert "has not taken note yet" in page


@pytest.mark.parametrize(
    ("button", "values", "told"),
    [
        ("sell", {"symbol": "FET", "word": "SEL"}, "the word was another one"),
        ("sell", {"symbol": "FET", "sure": "yes"}, "the word was another one"),
        ("sell", {"symbol": "OP", "word": "SELL"}, "nothing of OP is held. Held: FET"),
        ("sell", {"word": "SELL"}, "nothing of  is held"),
        ("exclude", {"symbol": "FET"}, "the box was not ticked"),
        ("exclude", {"symbol": "NOSUCH", "sure": "yes"}, "NOSUCH"),
        ("include", {"symbol": "NOSUCH", "sure": "yes"}, "NOSUCH"),
        ("deposit", {"amount": "5"}, "the box was not ticked"),
        ("deposit", {"amount": "1,000", "sure": "yes"}, "1,000"),
        ("deposit", {"amount": "-5", "sure": "yes"}, "-5"),
        ("withdraw", {"amount": "0", "sure": "yes"}, "could not be done"),
        ("withdraw", {"sure": "yes"}, "could not be done"),
    ],
)
def test_what_is_not_confirmed_or_cannot_be_is_not_asked_for(
    owner: DashboardHarness, folder: Path, button: str, values: dict[str, str], told: str
) -> None:
    owner.post(f"/control/{button}", "/control", **values)
    assert asked(folder) == set()
    page = owner.text("/control")
    assert told in page
    assert "The bot is asked." not in page


def test_a_button_on_a_tokens_page_answers_there(owner: DashboardHarness, folder: Path) -> None:
    page = owner.text("/token?symbol=FET")
    assert "Sell FET" in page
    assert "No more purchases of FET" in page
    answer = owner.post("/control/sell", "/token?symbol=FET", symbol="FET", word="SELL", back="token")
    assert answer.headers["Location"] == "/token?symbol=FET"
    assert "The bot is asked." in owner.text("/token?symbol=FET")
    assert asked(folder) == {"sell FET"}


def test_only_what_is_held_can_be_sold(owner: DashboardHarness) -> None:
    page = owner.text("/token?symbol=OP")
    assert "Sell OP" not in page
    assert 'action="/control/exclude"' in page
    assert "Sell or exclude" in owner.text("/")


def test_without_a_token_there_are_no_buttons() -> None:
    dashboard = open_dashboard()
    for address in ("/", "/token?symbol=FET"):
        page = dashboard.text(address)
        assert "/control/" not in page
        assert "Sell or exclude" not in page
    for button in TOKEN_BUTTONS:
        assert dashboard.client.post(f"/control/{button}", base_url=BASE_URL).status_code in {400, 404}


def test_the_bot_does_what_the_buttons_ask_and_answers(folder: Path) -> None:
    """Forms, request files, a round of the bot at its exchange, the book, the pages."""
    with open_trading_harness(folder) as harness:
        harness.add_position("ADA", "300")
        write_settings(mode="live")
        dashboard = open_dashboard(address_with_token())
        dashboard.log_in()
        dashboard.post("/control/sell", "/control", symbol="ADA", word="SELL")
        dashboard.post("/control/exclude", "/control", symbol="ADA", sure="yes")
        dashboard.post("/control/withdraw", "/control", amount="100", sure="yes")
        dashboard.post("/control/withdraw", "/control", amount="99999", sure="yes")
        harness.bot().cycle()
        assert harness.traded() == ["SELL ADA"]
        page = dashboard.text("/control")
        assert "has not taken note yet" not in page
        assert page.count("<li><span") == 3
        assert page.count('class="refused"') == 1  # more than there is
        assert "ADA is marked for sale, as you asked" in dashboard.text("/token?symbol=ADA")
        assert 'class="refused"' not in dashboard.text("/token?symbol=ADA")
        assert "You have excluded ADA" in dashboard.text("/token?symbol=ADA")
        assert "-100.00" in dashboard.text("/performance")
        stranger = open_dashboard(
            address_with_token()
        )  # a dashboard that is started anew knows of no answer of its own
        stranger.log_in()
        assert 'class="refused"' not in stranger.text("/control")


def test_the_bot_sells_what_the_button_asks_it_to(folder: Path) -> None:
    """The whole way: a browser's form, the control file, a round of the bot at its exchange, the book, the page."""
    with open_trading_harness(folder) as harness:
        harness.add_position("ADA", "300")
        write_settings(mode="live")
        dashboard = open_dashboard(address_with_token())
        dashboard.log_in()
        assert "ADA" in dashboard.text("/")
        dashboard.post("/control/sell-all", "/control", word="SELL")
        assert "has not taken note yet" in dashboard.text("/")
        harness.bot().cycle()
        assert harness.traded() == ["SELL ADA"]
        assert "has not taken note yet" not in dashboard.text("/")
        assert "Positions: 0" in dashboard.text("/")
        assert "Trades: 1" in dashboard.text("/trades")
