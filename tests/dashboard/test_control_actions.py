"""Login, logout and the three buttons: the token, the forged form, the confirmation, and what the bot is asked."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from marsshot.bot.control_files import Control, Heard
from marsshot.dashboard.security.access_control import SESSION_LASTS, TRIES_OF_ONE_ADDRESS, TRIES_REMEMBERED_FOR, Door
from tests.helpers.builders import some_settings
from tests.helpers.dashboard_harness import HERE, TOKEN, Panel, a_life, guarded, open_panel, write_settings
from tests.helpers.trading_harness import open_desk

PAGES = ("/", "/decisions", "/trades", "/model", "/log", "/control", "/chart/worth", "/report/model")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    a_life()
    return tmp_path


@pytest.fixture
def panel() -> Panel:
    return open_panel(guarded())


@pytest.fixture
def owner(panel: Panel) -> Panel:
    assert panel.log_in().status_code == 303
    return panel


def asked(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir() if file.name.startswith(("PAUSE", "SELL_ALL"))}


# --------------------------------------------------------------------------- login


@pytest.mark.parametrize("address", PAGES)
def test_with_a_token_nothing_is_shown_before_the_login(panel: Panel, address: str) -> None:
    answer = panel.get(address)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/login")
    assert "FET" not in answer.text


def test_the_pulse_says_that_a_login_is_needed(panel: Panel) -> None:
    assert panel.get("/pulse").status_code == 401


def test_the_login_page_shows_nothing_of_the_bot(panel: Panel) -> None:
    page = panel.text("/login")
    for word in ("FET", "Paper", "1,069", TOKEN):
        assert word not in page


def test_the_token_lets_in(owner: Panel) -> None:
    assert "FET" in owner.text("/")
    assert owner.get("/login").headers["Location"] == "/"


@pytest.mark.parametrize("wrong", ["", "wrong", TOKEN[:-1], TOKEN + "x", TOKEN.upper()])
def test_another_token_does_not(panel: Panel, wrong: str) -> None:
    answer = panel.log_in(wrong)
    assert answer.status_code == 403
    assert "not the token" in answer.text
    assert panel.get("/").status_code == 302


def test_blanks_around_a_pasted_token_do_no_harm(panel: Panel) -> None:
    assert panel.log_in(f" {TOKEN}\n").status_code == 303


def test_a_token_in_the_address_is_not_looked_at(panel: Panel) -> None:
    for address in (f"/?token={TOKEN}", f"/login?token={TOKEN}", f"/trades?token={TOKEN}&name={TOKEN}"):
        assert "FET" not in panel.get(address).text
    headers = {"Authorization": f"Bearer {TOKEN}", "Cookie": f"token={TOKEN}; marsshot-8377={TOKEN}"}
    assert panel.get("/", headers=headers).status_code == 302


def test_after_five_wrong_tokens_the_right_one_has_to_wait_too(panel: Panel) -> None:
    for _ in range(TRIES_OF_ONE_ADDRESS):
        assert panel.log_in("wrong").status_code == 403
    answer = panel.log_in()
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) <= TRIES_REMEMBERED_FOR.total_seconds() + 1
    panel.wait(TRIES_REMEMBERED_FOR)
    assert panel.log_in().status_code == 303


def test_the_cookie_is_kept_from_scripts_and_other_sites(panel: Panel) -> None:
    cookie = panel.log_in().headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "Path=/" in cookie
    assert TOKEN not in cookie
    assert "Secure" not in cookie


def test_behind_https_the_cookie_is_for_https_alone() -> None:
    panel = open_panel(Door("127.0.0.1", 8377, TOKEN, "https://bot.example"))
    page = panel.client.get("/login", base_url="https://bot.example")
    cookie = page.headers["Set-Cookie"]
    assert cookie.startswith("__Host-marsshot=")
    assert "Secure" in cookie


def test_a_session_ends_after_a_day(owner: Panel) -> None:
    owner.wait(SESSION_LASTS - timedelta(seconds=1))
    assert owner.get("/").status_code == 200
    owner.wait(timedelta(seconds=1))
    assert owner.get("/").status_code == 302


def test_a_cookie_from_before_the_logout_is_worth_nothing(owner: Panel) -> None:
    cookie = owner.client.get_cookie("marsshot-8377", domain="127.0.0.1")
    assert cookie is not None
    assert owner.post("/logout", "/").status_code == 303
    owner.client.set_cookie("marsshot-8377", cookie.value, domain="127.0.0.1")
    assert owner.get("/").status_code == 302


def test_a_cookie_of_another_process_is_worth_nothing(owner: Panel) -> None:
    cookie = owner.client.get_cookie("marsshot-8377", domain="127.0.0.1")
    assert cookie is not None
    other = open_panel(guarded())
    other.client.set_cookie("marsshot-8377", cookie.value, domain="127.0.0.1")
    assert other.get("/").status_code == 302


def test_the_token_stands_in_no_page(owner: Panel) -> None:
    Path("bot.paper.log").write_text(f"2021-02-15T00:30:00Z INFO leak | {TOKEN}\n")
    for address in PAGES:
        assert TOKEN not in owner.get(address).text


# --------------------------------------------------------------------------- forged forms


@pytest.mark.parametrize("key", [None, "", "another"])
def test_a_form_that_the_page_did_not_give_out_does_nothing(owner: Panel, folder: Path, key: str | None) -> None:
    data = {"sure": "yes", "word": "SELL"} | ({} if key is None else {"form_key": key})
    for address in ("/control/pause", "/control/resume", "/control/sell-all", "/logout"):
        assert owner.client.post(address, data=data, base_url=HERE).status_code == 400
    assert asked(folder) == set()
    assert owner.get("/").status_code == 200


def test_a_form_from_another_site_does_nothing(owner: Panel, folder: Path) -> None:
    key = owner.text("/control").split('name="form_key" value="')[1].split('"')[0]
    for site in ("cross-site", "same-site"):
        answer = owner.client.post(
            "/control/pause",
            data={"form_key": key, "sure": "yes"},
            base_url=HERE,
            headers={"Sec-Fetch-Site": site},
        )
        assert answer.status_code == 400
    assert asked(folder) == set()


def test_the_form_key_changes_with_the_login(panel: Panel) -> None:
    before = panel.text("/login").split('name="form_key" value="')[1].split('"')[0]
    panel.log_in()
    assert before not in panel.text("/control")


@pytest.mark.parametrize("address", ["/control/pause", "/control/resume", "/control/sell-all", "/logout"])
def test_a_button_is_never_pressed_by_a_link(owner: Panel, folder: Path, address: str) -> None:
    assert owner.get(address).status_code == 405
    assert asked(folder) == set()


def test_a_form_that_is_too_large_is_refused(owner: Panel) -> None:
    assert owner.post("/control/pause", "/control", sure="y" * 20_000).status_code == 413


# --------------------------------------------------------------------------- the buttons


def test_pause_and_resume_are_those_of_the_commands(owner: Panel, folder: Path) -> None:
    assert owner.post("/control/pause", "/control", sure="yes").headers["Location"] == "/control"
    assert asked(folder) == {"PAUSE.paper"}
    page = owner.text("/control")
    assert "Buying is paused." in page
    assert "Buying is paused." not in owner.text("/control")  # said once
    owner.post("/control/resume", "/control", sure="yes")
    assert asked(folder) == set()
    assert "Buying is allowed again." in owner.text("/control")


def test_a_pause_keeps_the_reasons_that_are_there(owner: Panel) -> None:
    Control(some_settings()).pause("coins are missing")
    owner.post("/control/pause", "/control", sure="yes")
    assert "coins are missing" in Control(some_settings()).paused()


def test_buying_that_the_live_bot_has_paused_stays_paused(owner: Panel) -> None:
    Control(some_settings(mode="live")).pause()
    owner.post("/control/resume", "/control", sure="yes")
    page = owner.text("/control")
    assert "could not be done" in page
    assert "Buying is allowed again." not in page


def test_buying_stays_paused_while_a_sale_of_everything_waits(owner: Panel, folder: Path) -> None:
    owner.post("/control/sell-all", "/control", word="SELL")
    owner.post("/control/resume", "/control", sure="yes")
    assert asked(folder) == {"PAUSE.paper", "SELL_ALL.paper"}
    assert "still waiting (SELL_ALL.paper)" in owner.text("/control")


def test_an_answer_to_an_earlier_sale_is_forgotten_with_the_next(owner: Panel) -> None:
    control = Control(some_settings())
    control.answer(Heard(paused=True, sold_all=True, left={"FET": ("refused", "")}))
    assert "could not be sold now" in owner.text("/")
    owner.post("/control/sell-all", "/control", word="SELL")
    assert "could not be sold now" not in owner.text("/")


@pytest.mark.parametrize("sure", ["", "no", "Yes"])
def test_without_the_tick_nothing_is_done(owner: Panel, folder: Path, sure: str) -> None:
    owner.post("/control/pause", "/control", sure=sure)
    assert asked(folder) == set()
    assert "Nothing was done" in owner.text("/control")
    Control(some_settings()).pause()
    owner.post("/control/resume", "/control", sure=sure)
    assert asked(folder) == {"PAUSE.paper"}


@pytest.mark.parametrize("word", ["", "SEL", "SELLALL", "yes", "VENDRE"])
def test_without_the_word_nothing_is_sold(owner: Panel, folder: Path, word: str) -> None:
    owner.post("/control/sell-all", "/control", word=word)
    assert asked(folder) == set()
    assert "the word was another one" in owner.text("/control")


@pytest.mark.parametrize(("language", "word"), [("en", "SELL"), ("en", " sell "), ("fr", "VENDRE"), ("fr", "vendre")])
def test_the_word_sells_and_pauses(owner: Panel, folder: Path, language: str, word: str) -> None:
    assert owner.get(f"/prefer?language={language}&back=control").headers["Location"] == "/control"
    owner.post("/control/sell-all", "/control", word=word)
    assert asked(folder) == {"PAUSE.paper", "SELL_ALL.paper"}


def test_a_disk_that_refuses_is_told(owner: Panel, folder: Path) -> None:
    (folder / "PAUSE.paper").mkdir()
    owner.post("/control/pause", "/control", sure="yes")
    assert "could not be done" in owner.text("/control")


def test_the_bot_sells_what_the_button_asks_it_to(folder: Path) -> None:
    """The whole way: a browser's form, the control file, a round of the bot at its exchange, the book, the page."""
    with open_desk(folder) as desk:
        desk.give("ADA", "300")
        write_settings(mode="live")
        panel = open_panel(guarded())
        panel.log_in()
        assert "ADA" in panel.text("/")
        panel.post("/control/sell-all", "/control", word="SELL")
        assert "has not taken note yet" in panel.text("/")
        desk.bot().cycle()
        assert desk.traded() == ["SELL ADA"]
        assert "has not taken note yet" not in panel.text("/")
        assert "Positions: 0" in panel.text("/")
        assert "Trades: 1" in panel.text("/trades")
