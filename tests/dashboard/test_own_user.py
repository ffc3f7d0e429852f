"""The dashboard as a user of its own, with two real users: what it can read, what it can write, and that it has no key.

Only root can become another user: elsewhere these tests are skipped, and say so.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from marsshot.config.bot_files import CONTROL_FOLDER as NAME
from marsshot.infra.atomic_files import GROUP_READS_VARIABLE
from tests.helpers.builders import ROOT
from tests.helpers.dashboard_harness import TOKEN, write_bot_files, write_settings

BOT, DASHBOARD, GROUP = 60_001, 60_002, 60_001  # numbers without names do as well
CONTROL_FOLDER = Path(NAME)
KEY = "a-key-that-nobody-may-read-0123456789"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can try what another user may do")

SHOW_SETTINGS = 'write_public_copy(read_settings(Path("config.yaml")), Disk())'
PAUSE = 'ControlFiles(read_settings(Path("config.yaml"))).pause("coins are missing")'
RESUME = 'ControlFiles(read_settings(Path("config.yaml"))).resume()'
BOT_PROGRAM = """
import os, sys
from pathlib import Path
from marsshot.bot.control_files import ControlFiles
from marsshot.config.loader import read_settings
from marsshot.config.public_copy import write_public_copy
from marsshot.infra.atomic_files import Disk
"""
LOAD_PAGES = """
import re
from datetime import UTC, datetime
from marsshot.dashboard.app import create_app, warm_up
from marsshot.dashboard.data.bot_snapshot import BotFiles
from marsshot.dashboard.security.access_control import ServerAddress
token = sys.argv[4]
def open_pages(config):
    now = lambda: datetime(2021, 2, 20, tzinfo=UTC)
    bot_files = BotFiles(config, read_settings(config), now)
    app = create_app(bot_files, ServerAddress("127.0.0.1", 8377, token), now)
    warm_up(app, bot_files)
    return app.test_client()
def get(path):
    return client.get(path, base_url="http://127.0.0.1:8377").text
def post(path, form_from, **values):
    key = re.search(r'name="csrf_token" value="([^"]+)"', get(form_from))[1]
    return client.post(path, data={"csrf_token": key, **values}, base_url="http://127.0.0.1:8377").status_code
def log_in():
    assert post("/login", "/login", token=token) == 303
client = open_pages(Path("config.yaml"))  # while still root, to load what is loaded late
log_in()
get("/")
"""
BECOME_USER = """
os.umask(int(sys.argv[3], 8))
os.setgroups([])
os.setgid(int(sys.argv[2]))
os.setuid(int(sys.argv[1]))
"""
OPEN_PAGES = """
client = open_pages(Path("config.public.yaml"))
log_in()
"""
PAGES = 'print(*(get(path) for path in ("/", "/decisions", "/trades", "/model", "/log", "/control")))'
PRESS = 'post("/control/{action}", "/control", sure="yes", word="SELL"); print(get("/control"))'


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The bot's folder as deploy/install.sh makes it, in a place that everybody may come to."""
    outer = Path(tempfile.mkdtemp(dir="/var/tmp"))
    outer.chmod(0o711)
    path = outer / "marsshot"
    path.mkdir()
    monkeypatch.chdir(path)
    monkeypatch.setenv(GROUP_READS_VARIABLE, "1")
    write_bot_files()
    write_settings(lunarcrush={"api_key": KEY})
    CONTROL_FOLDER.mkdir()
    for one in (path, *path.iterdir()):
        os.chown(one, BOT, GROUP)
        one.chmod(0o640)
    path.chmod(0o750)
    CONTROL_FOLDER.chmod(0o770)
    Path("config.yaml").chmod(0o600)
    bot(SHOW_SETTINGS)
    yield path
    shutil.rmtree(outer)


def run_as(user: int, program: str) -> str:
    """Run a program as another user, once all that it needs is loaded: Python may be out of that user's reach."""
    umask = "077" if user == DASHBOARD else "027"
    done = subprocess.run(
        [sys.executable, "-c", BOT_PROGRAM + program, str(user), str(GROUP), umask, TOKEN],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def visit(program: str) -> str:
    return run_as(DASHBOARD, LOAD_PAGES + BECOME_USER + OPEN_PAGES + program)


def bot(program: str) -> str:
    return run_as(BOT, BECOME_USER + program)


def test_it_shows_all_of_the_bots_files_and_no_key() -> None:
    pages = visit(PAGES)
    assert "Permission denied" not in pages
    for word in ("FET", "1,069.75", "Daily pass of 2021-02-15", "0.742"):
        assert word in pages
    assert KEY not in pages


def test_the_file_with_the_keys_is_closed_to_it() -> None:
    attempt = "try:\n    print(open('config.yaml').read())\nexcept PermissionError:\n    print('closed')"
    assert run_as(DASHBOARD, BECOME_USER + attempt).strip() == "closed"


ATTEMPTS = """
for name in ("bot_state.paper.json", "trades.paper.csv", "config.public.yaml", "PAUSE"):
    for attempt in (lambda: open(name, "a"), Path(name).unlink, lambda: Path(name).rename("control/taken")):
        try:
            attempt()
            print(name, "done")
        except OSError as error:
            print(name, error.strerror)
"""


def test_it_can_neither_change_nor_remove_nor_make_a_file_of_the_bots() -> None:
    told = run_as(DASHBOARD, BECOME_USER + ATTEMPTS).splitlines()
    absent = {f"PAUSE {why}" for why in ("Permission denied", "No such file or directory")}
    assert len(told) == 12
    assert set(told[:9]) == {
        f"{name} Permission denied" for name in ("bot_state.paper.json", "trades.paper.csv", "config.public.yaml")
    }
    assert told[9] == "PAUSE Permission denied"
    assert set(told[10:]) <= absent


@pytest.mark.slow
def test_its_buttons_pause_sell_and_resume() -> None:
    files = 'print({path.name: path.stat().st_uid for path in sorted(Path("control").iterdir())})'
    sold = 'Path("control/SELL_ALL.paper").unlink()'
    steps = [
        f'post("/control/{step}", "/control", sure="yes", word="SELL")' for step in ("pause", "sell-all", "resume")
    ]
    program = "; ".join((steps[0], files, steps[1], files, sold, steps[2], files))
    paused, selling, resumed = visit(program).splitlines()
    assert paused == str({"PAUSE.paper": DASHBOARD})
    assert selling == str({"PAUSE.paper": DASHBOARD, "SELL_ALL.paper": DASHBOARD})
    assert resumed == str({"RESUME.paper": DASHBOARD})


READ_REQUESTS = """
control = ControlFiles(read_settings(Path("config.yaml")))
requests, unreadable = control.owner_requests()
print(unreadable, sorted(f"{one.kind} {one.symbol or one.amount}" for one in requests))
for one in requests:
    control.remove_request(one.request_id)
"""


@pytest.mark.slow
def test_the_bot_reads_and_takes_away_what_its_buttons_ask_for() -> None:
    deposit = 'post("/control/deposit", "/control", sure="yes", amount="5")'
    visit(f'{deposit}; post("/control/sell", "/control", word="SELL", symbol="FET")')
    assert bot(READ_REQUESTS).strip() == "[] ['deposit 5', 'sell FET']"
    assert list(Path("control").iterdir()) == []


@pytest.mark.slow
def test_it_reads_why_the_bot_paused_and_can_resume() -> None:
    bot(PAUSE)
    assert "coins are missing" in visit(f"{PAGES}; {PRESS.format(action='resume')}")
    assert not Path("control/PAUSE.paper").exists()


@pytest.mark.slow
def test_the_bot_adds_its_reason_to_a_pause_of_the_dashboards_and_ends_it() -> None:
    visit(PRESS.format(action="pause"))
    bot(PAUSE)
    assert Path("control/PAUSE.paper").read_text() == "coins are missing\n"
    bot(RESUME)
    assert not Path("control/PAUSE.paper").exists()


@pytest.mark.slow
def test_a_pause_that_the_owner_made_by_hand_is_told_where_it_cannot_be_ended() -> None:
    Path("PAUSE.paper").touch()
    assert "PAUSE.paper" in visit(PRESS.format(action="resume"))
    assert Path("PAUSE.paper").exists()
