"""The pages in a real browser: headless Chromium, driven by Playwright, on the server that `python dashboard.py` runs.

Skipped, each test by itself so that it shows, where no Chromium is installed; on CI that is a failure.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

from docs.make_pictures import CHROMIUM_NAMES
from marsshot.bot.control_files import ControlFiles
from marsshot.bot.owner_requests import request_sale
from marsshot.dashboard.security.access_control import ServerAddress
from marsshot.portfolio.trades_file import csv_rows
from tests.helpers.builders import D, a_book, a_trade, bought_at, some_settings
from tests.helpers.dashboard_harness import TOKEN, serving, write_book, write_bot_files, write_decisions, write_equity

CHROMIUM = next((path for name in CHROMIUM_NAMES if (path := shutil.which(name))), "")
QUIET = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
PAGES = ("", "decisions", "trades", "performance", "token?symbol=FET", "model", "log")
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
HTML_INJECTION = "<img src=x onerror=document.title='owned'>"

pytestmark = pytest.mark.skipif(
    not CHROMIUM and not os.environ.get("CI"),
    reason="no Chromium here: to see the pages in a real browser, apt-get install chromium-headless-shell",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    assert CHROMIUM, "on CI the pages are seen in a real browser: apt-get install chromium-headless-shell"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("marsshot.dashboard.app.REFRESH_SECONDS", 0.2)
    write_bot_files()
    return tmp_path


@pytest.fixture
def open_address() -> Iterator[str]:
    with serving(ServerAddress("127.0.0.1", 0)) as address:
        yield address


@pytest.fixture
def guarded_address() -> Iterator[str]:
    with serving(ServerAddress("127.0.0.1", 0, TOKEN)) as address:
        yield address


class BrowserVisit:
    """A browser of its own, and what it complained about."""

    def __init__(self, browser: Browser, address: str, size: dict[str, int], theme: str = "light") -> None:
        self.context: BrowserContext = browser.new_context(viewport=size, color_scheme=theme)  # type: ignore[arg-type]
        self.address = address
        self.complaints: list[str] = []
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(20_000)
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._asked)

    def end(self) -> None:
        """Close the browser's window."""
        self.context.close()

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)

    def _asked(self, request: object) -> None:
        url = getattr(request, "url", "")
        if not url.startswith((self.address, "data:")):
            self.complaints.append(f"asked for {url}")

    def go(self, name: str = "") -> Page:
        """Open a page."""
        self.page.goto(f"{self.address}/{name}")
        return self.page

    def log_in(self, token: str = TOKEN) -> Page:
        """Type the token."""
        self.go()
        self.page.get_by_label("Token").fill(token)
        self.page.get_by_role("button", name="Log in").click()
        return self.page


def drawn(page: Page, place: str) -> str:
    """Return the picture in a place, once it is there."""
    page.wait_for_selector(f"#{place}[data-drawn] canvas")
    return page.locator(f"#{place} canvas").first.evaluate("canvas => canvas.toDataURL()")  # type: ignore[no-any-return]


def is_empty(page: Page, place: str) -> bool:
    """Return whether a picture has one colour only."""
    return bool(
        page.locator(f"#{place} canvas").first.evaluate(
            "canvas => new Set(new Uint32Array("
            "canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.buffer)).size < 3"
        )
    )


Visiting = Callable[..., BrowserVisit]


@pytest.fixture
def visiting(browser: Browser, open_address: str) -> Iterator[Visiting]:
    """Yield what begins a visit to pages that need no token."""
    yield from _visits(browser, open_address)


@pytest.fixture
def owner(browser: Browser, guarded_address: str) -> Iterator[Visiting]:
    """Yield what begins a visit to pages that want a token."""
    yield from _visits(browser, guarded_address)


def _visits(browser: Browser, address: str) -> Iterator[Visiting]:
    begun: list[BrowserVisit] = []

    def begin(size: dict[str, int] = DESKTOP, theme: str = "light") -> BrowserVisit:
        begun.append(BrowserVisit(browser, address, size, theme))
        return begun[-1]

    yield begin
    for visit in begun:
        visit.end()


# --------------------------------------------------------------------------- looking


# What reaches over the right edge of the page, or over what the card that it stands in leaves for it; a tab's name that
# reaches into the next one.
OVERFLOWING = """(width) => [...document.querySelectorAll("main *, header *, footer *")].filter((one) => {
  const box = one.getBoundingClientRect();
  const within = one.parentElement.closest(".card, .figures > div, body");
  const edge = within.getBoundingClientRect().right - parseFloat(getComputedStyle(within).paddingRight);
  if (one.matches("nav a") && one.scrollWidth > one.clientWidth) return true;
  return box.width && !one.closest(".unseen, svg, iframe, .chart") && box.right > edge + 1;
}).map((one) => one.outerHTML.slice(0, 120)).concat(
  document.documentElement.scrollWidth > width ? [`the page is ${document.documentElement.scrollWidth} wide`] : []
)"""


WIDTHS = (360, 768, 1280, 1920)
BACKGROUNDS = {"light": "rgb(246, 246, 243)", "dark": "rgb(18, 22, 28)"}


def check_borders(page: Page, name: str) -> None:
    """Look at a page at every width in both themes: nothing may cross the border of what it stands in."""
    for theme, background in BACKGROUNDS.items():
        page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == background
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            with suppress(PlaywrightTimeoutError):  # charts take their new size a moment later
                page.wait_for_function(f"width => ({OVERFLOWING})(width).length == 0", arg=width, timeout=10_000)
            assert page.evaluate(OVERFLOWING, width) == [], (name, width, theme)


@pytest.mark.parametrize("language", [pytest.param("en", marks=pytest.mark.slow), "fr"])  # French is longer
def test_nothing_crosses_a_border_and_nothing_complains(visiting: Visiting, language: str) -> None:
    fine = {"qty": D("344147.93272922"), "price": D("0.000012345"), "quote": D("14111.35"), "profit": "-1113.04"}
    with Path("trades.paper.csv").open("ab") as file:
        file.write(csv_rows([a_trade("ms-9", time="2021-02-14T10:00:00Z", **fine)], header=False))
    visit = visiting()
    visit.go(f"prefer?language={language}")
    for name in PAGES:
        page = visit.go(name)
        expect(page.locator("h1").first).to_have_count(1)
        check_borders(page, name)
    assert visit.complaints == []


@pytest.mark.slow
@pytest.mark.parametrize("language", ["en", "fr"])
def test_nothing_crosses_a_border_where_there_are_buttons(owner: Visiting, language: str) -> None:
    visit = owner()
    visit.log_in()
    visit.go(f"prefer?language={language}")
    Path("cash_flows.paper.csv").write_text("time,amount,capital_after\n2021-02-05T10:00:00Z,1234567.89,12345678.9\n")
    request_sale(ControlFiles(some_settings()), "FET")
    for name in ("control", "token?symbol=FET", "token?symbol=OP", "performance", ""):
        page = visit.go(name)
        assert page.locator(".notice").count() == 1
        check_borders(page, name)
    assert visit.complaints == []


def check_access(page: Page, name: str) -> None:
    """Let axe-core look for what keeps people with a screen reader, a keyboard or weak eyes out."""
    for theme in BACKGROUNDS:
        page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        violations = Axe().run(page).response["violations"]
        told = [f"{one['id']}: {node['html'][:150]}" for one in violations for node in one["nodes"]]
        assert told == [], (name, theme)


@pytest.mark.slow
@pytest.mark.parametrize("name", PAGES)
def test_everybody_can_use_the_pages(visiting: Visiting, name: str) -> None:
    check_access(visiting().go(name), name)


@pytest.mark.slow
def test_everybody_can_use_the_login_and_the_buttons(owner: Visiting) -> None:
    visit = owner(PHONE)
    check_access(visit.go(), "login")
    visit.log_in()
    for name in ("control", "token?symbol=FET", "performance"):
        check_access(visit.go(name), name)


@pytest.mark.slow
@pytest.mark.parametrize(("language", "number"), [("en", "1,100.5"), ("fr", "1\u202f100,5")])
def test_the_axes_write_numbers_as_the_page_does(visiting: Visiting, language: str, number: str) -> None:
    visit = visiting(DESKTOP)
    visit.go(f"prefer?language={language}")
    page = visit.go()
    drawn(page, "chart-worth")
    written = page.evaluate(
        """() => Bokeh.documents.flatMap((one) => [...one._all_models.values()])
        .filter((one) => one.type === "BasicTickFormatter").map((one) => one.doFormat([1100.5], {})[0])"""
    )
    assert set(written) == {number}


def test_the_charts_are_drawn(visiting: Visiting) -> None:
    visit = visiting(PHONE)
    page = visit.go()
    for place in ("chart-worth", "chart-fall"):
        assert drawn(page, place)
        assert not is_empty(page, place)
    assert page.locator("svg.levels circle.now").count() == 0  # no price is known
    assert page.locator("svg.levels line.mark").count() == 4
    assert visit.complaints == []


@pytest.mark.slow
def test_a_chart_says_what_is_under_the_pointer(visiting: Visiting) -> None:
    page = visiting(DESKTOP).go()
    drawn(page, "chart-worth")
    box = page.locator("#chart-worth").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(page.get_by_text("2021-02-02 00:00 UTC: 1,100.00").or_(page.get_by_text("2021-02-03 00:00"))).to_be_visible()


def test_the_page_follows_the_bot_without_being_loaded_anew(visiting: Visiting) -> None:
    visit = visiting(DESKTOP)
    page = visit.go()
    before = drawn(page, "chart-worth")
    page.evaluate("window.sameVisit = true")
    write_book(a_book(capital=D("500"), positions={"ARB": bought_at("2")}), [a_trade("ms-9", symbol="OP")])
    write_equity("1000", "1100", "990", "1069", "700")
    expect(page.get_by_role("heading", name="ARB")).to_be_visible()
    expect(page.locator(".figures .main b")).to_contain_text("700.00")
    page.wait_for_function("old => document.querySelector('#chart-worth canvas')?.toDataURL() !== old", arg=before)
    assert page.evaluate("window.sameVisit")
    assert visit.complaints == []


@pytest.mark.slow
def test_what_is_typed_into_a_filter_stays_while_the_page_follows(visiting: Visiting) -> None:
    page = visiting(DESKTOP).go("log")
    field = page.get_by_label("With this text")
    field.fill("coins")
    with Path("bot.paper.log").open("a") as log:
        log.write("2021-02-15T01:00:00Z INFO more | One more line\n")
    expect(page.get_by_text("One more line")).to_be_visible()
    expect(field).to_have_value("coins")
    expect(field).to_be_focused()


@pytest.mark.slow
def test_a_dashboard_that_is_gone_is_told(visiting: Visiting) -> None:
    visit = visiting(DESKTOP)
    page = visit.go()
    visit.context.set_offline(True)
    expect(page.get_by_text("No connection to the dashboard")).to_be_visible()
    visit.context.set_offline(False)
    expect(page.get_by_text("Kept up to date")).to_be_visible()


def test_language_and_theme_are_switched_and_kept(visiting: Visiting) -> None:
    visit = visiting(PHONE)
    page = visit.go("trades")
    page.get_by_role("link", name="FR").click()
    expect(page.get_by_role("heading", name="Ordres")).to_be_visible()
    page.get_by_role("link", name="Sombre").click()
    expect(page.get_by_role("heading", name="Ordres")).to_be_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 22, 28)"
    visit.go()
    expect(page.get_by_text("Capital libre")).to_be_visible()


@pytest.mark.slow
def test_trades_are_filtered(visiting: Visiting) -> None:
    page = visiting(PHONE).go("trades")
    page.get_by_label("Direction").select_option("SELL")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_text("Trades: 2")).to_be_visible()
    page.get_by_role("link", name="Show all").click()
    expect(page.get_by_text("Trades: 3")).to_be_visible()


@pytest.mark.slow
def test_names_from_outside_run_nothing(visiting: Visiting) -> None:
    write_book(
        a_book(positions={HTML_INJECTION: bought_at("1")}),
        [a_trade("ms-8", symbol=HTML_INJECTION, reason=HTML_INJECTION, side="SELL")],
    )
    write_decisions(f"2021-02-15,,{HTML_INJECTION},true,0.5,,,{HTML_INJECTION},,{HTML_INJECTION},{HTML_INJECTION}")
    Path("bot.paper.log").write_text(f"{HTML_INJECTION}\n")
    ControlFiles(some_settings()).pause(HTML_INJECTION)
    visit = visiting(DESKTOP)
    for name in PAGES:
        page = visit.go(name)
        assert page.locator("img[onerror]").count() == 0
        assert "owned" not in page.title()
    page = visit.go()
    drawn(page, "chart-worth")
    box = page.locator("#chart-worth").bounding_box()
    assert box is not None
    for step in range(0, 100, 4):  # over the marks too: their words are the browser's to show
        page.mouse.move(box["x"] + box["width"] * step / 100, box["y"] + box["height"] / 2)
    assert page.locator("img[onerror]").count() == 0
    assert "owned" not in page.title()
    assert visit.complaints == []


def test_a_report_has_its_style_and_runs_nothing(visiting: Visiting) -> None:
    Path("model_report.paper.html").write_text(
        "<style>h1 { color: rgb(1, 2, 3) }</style><h1 style='margin: 7px'>report</h1><p>as written</p>"
        "<script>document.querySelector('p').textContent = 'changed'</script>"
    )
    report = visiting(DESKTOP).go("model").frame_locator("iframe.report")
    expect(report.locator("p")).to_have_text("as written")
    assert report.locator("h1").evaluate("h1 => getComputedStyle(h1).color") == "rgb(1, 2, 3)"
    assert report.locator("h1").evaluate("h1 => getComputedStyle(h1).marginTop") == "7px"


# --------------------------------------------------------------------------- login and buttons


def test_the_token_lets_in_and_logging_out_locks(owner: Visiting) -> None:
    visit = owner(PHONE)
    page = visit.log_in()
    expect(page.get_by_text("Free capital")).to_be_visible()
    assert TOKEN not in page.url
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_label("Token")).to_be_visible()
    visit.go("trades")
    expect(page.get_by_label("Token")).to_be_visible()
    # A page that asks for news at the very moment of logging out is refused, and the browser says so.
    assert [told for told in visit.complaints if "401" not in told] == []


@pytest.mark.slow
def test_a_wrong_token_is_told_and_at_last_made_to_wait(owner: Visiting) -> None:
    visit = owner(PHONE)
    for _ in range(5):
        page = visit.log_in("wrong")
        expect(page.get_by_text("That is not the token.")).to_be_visible()
    visit.log_in()
    expect(page.get_by_text("Too many wrong tokens. Try again in 14 min.")).to_be_visible()


@pytest.mark.slow
def test_the_buttons_of_a_token_and_of_money_ask_and_answer(owner: Visiting) -> None:
    visit = owner(PHONE)
    visit.log_in()
    page = visit.go("control")
    form = page.locator("form[action='/control/deposit']")
    form.get_by_role("textbox").fill("200.50")
    form.get_by_role("button", name="Deposit").click()  # not ticked: the browser holds it back
    control = ControlFiles(some_settings())
    assert control.owner_requests()[0] == []
    form.get_by_label("Yes, the bot may use it").check()
    form.get_by_role("button", name="Deposit").click()
    expect(page.get_by_text("Asked for: deposit of 200.5 USDT.")).to_be_visible()
    visit.go().get_by_role("link", name="Sell or exclude").click()
    page.get_by_label("Type SELL to confirm").fill("sell")
    page.get_by_role("button", name="Sell FET").click()
    expect(page.get_by_text("Asked for: sale of FET.")).to_be_visible()
    expect(page.get_by_role("heading", name="FET", exact=True).first).to_be_visible()
    assert {one.kind for one in control.owner_requests()[0]} == {"deposit", "sell"}
    assert visit.complaints == []


def test_the_buttons_pause_resume_and_sell(owner: Visiting, folder: Path) -> None:
    visit = owner(PHONE)
    visit.log_in()
    page = visit.go("control")
    page.get_by_role("button", name="Pause").click()  # not ticked: the browser holds it back
    assert not (folder / "PAUSE.paper").exists()
    page.get_by_label("Yes, pause buying").check()
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("Buying is paused.", exact=False).first).to_be_visible()
    assert (folder / "PAUSE.paper").exists()
    page.get_by_label("Yes, I have looked").check()
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_text("Buying is allowed again.")).to_be_visible()
    assert not (folder / "PAUSE.paper").exists()
    page.locator("form[action='/control/sell-all']").get_by_label("Type SELL to confirm").fill("sell")
    page.get_by_role("button", name="Sell everything").click()
    expect(page.get_by_text("The bot is asked to sell everything")).to_be_visible()
    assert (folder / "SELL_ALL.paper").exists()
    expect(page.get_by_text("has not taken note yet")).to_have_count(2)  # nor of the end of the pause
    ControlFiles(some_settings()).acknowledge_resume()
    ControlFiles(some_settings()).acknowledge_sell_all()
    expect(page.get_by_text("has not taken note yet")).to_have_count(0)
    assert visit.complaints == []
