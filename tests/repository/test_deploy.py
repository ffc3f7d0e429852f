"""What runs the bot on a server: the unit, the image, the scripts; checked by the tools that know them."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from marsshot.commands.command_line import command_parser
from marsshot.config.bot_files import CONTROL_FOLDER, PUBLIC_CONFIG
from marsshot.core.catalog import COMMAND_VARIABLE, SERVER_COMMAND
from marsshot.demo.demo import OVER_AS_A_SERVICE
from marsshot.infra.atomic_files import GROUP_READS_VARIABLE
from tests.helpers.builders import ROOT

TOOLS = Path(sys.executable).parent
DEPLOY = ROOT / "deploy"
UNIT = DEPLOY / "marsshot.service"
DASHBOARD = DEPLOY / "marsshot-dashboard.service"
RETRAINING = DEPLOY / "marsshot-retrain.service"
TIMER = DEPLOY / "marsshot-retrain.timer"
SYSTEMD = shutil.which("systemd-analyze")
needs_systemd = pytest.mark.skipif(SYSTEMD is None, reason="systemd-analyze is not on this machine")


def checked(*command: str | Path) -> str:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


class _Unit(configparser.RawConfigParser):
    def optionxform(self, optionstr: str) -> str:
        return optionstr


def unit(path: Path = UNIT) -> _Unit:
    parsed = _Unit(strict=False)
    parsed.read(path)
    return parsed


@pytest.fixture(params=[UNIT, DASHBOARD, RETRAINING], ids=["bot", "dashboard", "retraining"])
def each_unit(request: pytest.FixtureRequest) -> Path:
    path = request.param
    assert isinstance(path, Path)
    return path


@pytest.fixture
def unit_for_here(tmp_path: Path, each_unit: Path) -> Path:
    """The unit with a program and a user that this machine has: verify looks for both."""
    text = each_unit.read_text().replace("/opt/marsshot/.venv/bin/python", sys.executable)
    path = tmp_path / each_unit.name
    path.write_text(re.sub(r"^(User|Group)=.*\n", "", text, flags=re.MULTILINE))
    return path


def test_what_the_service_tells_to_type_is_the_command_that_is_installed(each_unit: Path) -> None:
    assert f"{COMMAND_VARIABLE}=marsshot" in unit(each_unit)["Service"]["Environment"].split()
    assert f"export {COMMAND_VARIABLE}=marsshot " in (DEPLOY / "marsshot").read_text()


@needs_systemd
def test_systemd_understands_the_unit(unit_for_here: Path) -> None:
    said = checked(str(SYSTEMD), "verify", unit_for_here)  # of other units of this machine, too
    assert [line for line in said.splitlines() if UNIT.name in line] == []


@needs_systemd
def test_systemd_would_tell_of_a_slip(unit_for_here: Path) -> None:
    unit_for_here.write_text(unit_for_here.read_text().replace("LimitCORE=0", "LimitCores=0"))
    done = subprocess.run([str(SYSTEMD), "verify", str(unit_for_here)], capture_output=True, text=True, check=False)
    assert "LimitCores" in done.stderr


@needs_systemd
def test_the_service_has_few_rights(each_unit: Path) -> None:
    """systemd's own measure: from 0 (none) to 10 (all)."""
    command = [str(SYSTEMD), "security", "--offline=true", "--threshold=20", str(each_unit)]
    if "unrecognized option" in subprocess.run(command, capture_output=True, text=True, check=False).stderr:
        pytest.skip("this systemd-analyze cannot judge a unit that is not installed")
    said = checked(*command)
    assert "Overall exposure level" in said


def test_wrong_settings_and_a_demos_end_end_the_service_and_nothing_else_does() -> None:
    service = unit()["Service"]
    assert (service["Restart"], service["RestartPreventExitStatus"]) == ("always", f"2 {OVER_AS_A_SERVICE}")
    assert service["SuccessExitStatus"] == str(OVER_AS_A_SERVICE)
    assert unit()["Unit"]["StartLimitIntervalSec"] == "0"
    assert service["Type"] == "notify"
    assert service["WatchdogSec"] == "3min"


def test_the_only_folder_that_the_service_writes_to_is_its_own() -> None:
    service = unit()["Service"]
    assert service["ProtectSystem"] == "strict"
    assert service["ReadWritePaths"] == service["WorkingDirectory"] == f"/var/lib/{service['StateDirectory']}"


def test_the_dashboards_service_has_no_keys_and_is_reached_from_this_machine_alone() -> None:
    service = unit(DASHBOARD)["Service"]
    assert "EnvironmentFile" not in service
    assert (service["IPAddressDeny"], service["IPAddressAllow"]) == ("any", "localhost")
    assert "--host" not in service["ExecStart"]


def test_the_dashboards_user_is_not_the_bots_and_writes_its_requests_alone() -> None:
    bot, service = unit()["Service"], unit(DASHBOARD)["Service"]
    assert (service["User"], service["Group"]) == ("marsshot-dashboard", bot["Group"])
    assert service["User"] != bot["User"]
    assert service["WorkingDirectory"] == bot["WorkingDirectory"]
    assert service["ReadWritePaths"] == f"{bot['WorkingDirectory']}/{CONTROL_FOLDER}"
    assert "-/etc/marsshot" in service["InaccessiblePaths"].split()
    assert f"--config {PUBLIC_CONFIG} " in service["ExecStart"]


def test_the_bots_group_reads_what_it_writes_in_the_service_and_by_hand() -> None:
    """The units, and the command `marsshot`; a stricter umask would take those rights away again."""
    for path in (UNIT, DASHBOARD, RETRAINING):
        assert f"{GROUP_READS_VARIABLE}=1" in unit(path)["Service"]["Environment"].split()
    assert (unit()["Service"]["UMask"], unit()["Service"]["StateDirectoryMode"]) == ("0027", "0750")
    command = (DEPLOY / "marsshot").read_text()
    assert f"export {GROUP_READS_VARIABLE}=1" in command
    assert "umask 0027" in command


def test_the_help_names_the_command_as_it_is_typed_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(COMMAND_VARIABLE, SERVER_COMMAND)
    shown = command_parser(lambda key: key).format_help()
    assert shown.startswith("usage: marsshot ") and shown.endswith("help.on_a_server\n")
    monkeypatch.delenv(COMMAND_VARIABLE)
    shown = command_parser(lambda key: key).format_help()
    assert shown.startswith("usage: main.py ") and "on_a_server" not in shown


@pytest.mark.parametrize("command", ["update", "rollback"])
def test_whoever_asks_what_update_does_gets_no_update(command: str) -> None:
    done = subprocess.run([DEPLOY / "marsshot", command, "--help"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "usage: marsshot update | marsshot rollback\n")


@pytest.mark.parametrize(
    "script", ["install.sh", "update.sh", "restart_services.sh", "find_python.sh", "container.sh", "marsshot"]
)
def test_the_scripts_are_sound_and_may_be_run(script: str) -> None:
    checked(TOOLS / "shellcheck", DEPLOY / script)
    assert (DEPLOY / script).stat().st_mode & 0o111


def test_the_dockerfile_is_sound() -> None:
    checked(TOOLS / "hadolint", ROOT / "Dockerfile")


def test_the_dashboards_packages_are_installed_with_the_program() -> None:
    """Its service only has to be switched on."""
    assert "--require-hashes -r requirements/dashboard.txt" in (DEPLOY / "install.sh").read_text()


def test_no_folder_of_the_program_is_named_where_it_is_compiled() -> None:
    """A list of names misses the folder that comes next: git has the list."""
    (line,) = [line for line in (DEPLOY / "install.sh").read_text().splitlines() if "compileall" in line]
    assert line.startswith("git ls-files -z -- '*.py' ")
    assert not {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"benchmarks"} & set(
        re.findall(r"\w+", line)
    )


def test_retraining_gives_way_to_the_bot_and_begins_by_itself_only_where_it_is_switched_on() -> None:
    service, timer = unit(RETRAINING), unit(TIMER)
    assert (service["Service"]["Type"], service["Service"]["Nice"]) == ("oneshot", "19")
    assert "Install" not in service
    assert timer["Install"]["WantedBy"] == "timers.target"
    assert timer["Timer"]["OnCalendar"].startswith("Sun ")
    assert "enable" not in (DEPLOY / "install.sh").read_text()
