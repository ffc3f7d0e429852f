"""The container: compose.yaml and Dockerfile held to what a fresh clone has, and the script that runs inside it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from marsshot.config.secret_values import SECRET_VARIABLES
from marsshot.core.catalog import COMMAND_VARIABLE, CONTAINER_COMMAND, LANGUAGES, load_texts, with_command_name
from tests.helpers.builders import ROOT
from tests.helpers.dockerignore import sent

TOOLS = Path(sys.executable).parent
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
BOT, DASHBOARD = COMPOSE["services"]["marsshot"], COMPOSE["services"]["dashboard"]
SERVICES = pytest.mark.parametrize("service", [BOT, DASHBOARD], ids=["bot", "dashboard"])
DOCKERFILE = (ROOT / "Dockerfile").read_text()
DOCKERIGNORE = (ROOT / ".dockerignore").read_text()
NOT_IN_THE_IMAGE = {".github", ".ci", "tests", "docs", "benchmarks"}


@pytest.fixture(scope="module")
def clone() -> dict[str, str]:
    """The files of a fresh clone, with git's mode."""
    command = ["git", "ls-files", "--stage", "--cached"]
    lines = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return {line.partition("\t")[2]: line[:6] for line in lines}


# --------------------------------------------------------------------------- compose.yaml


def test_compose_has_the_form_that_docker_takes() -> None:
    checked: list[str | Path] = [
        TOOLS / "check-jsonschema",
        "--builtin-schema",
        "vendor.compose-spec",
        ROOT / "compose.yaml",
    ]
    done = subprocess.run(checked, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@SERVICES
def test_the_containers_are_not_root_and_have_no_rights(service: dict[str, Any]) -> None:
    assert (service["user"], service["read_only"], service["cap_drop"]) == ("1000:1000", True, ["ALL"])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "USER 1000:1000" in DOCKERFILE


@SERVICES
def test_a_fresh_clone_has_all_that_compose_asks_for(service: dict[str, Any], clone: dict[str, str]) -> None:
    assert service["build"] == "." and "Dockerfile" in clone
    assert "image" not in service, "one name for two builds; and a registry is asked for it"
    data, settings = service["volumes"]
    assert data.partition(":")[::2] == ("data", "/data") and "data" in COMPOSE["volumes"]
    assert settings["source"].removeprefix("./") in clone
    for file in service.get("env_file", []):
        assert file["required"] is False, "a fresh clone has no keys"
    assert not {"environment", "depends_on", "profiles"} & set(service), "nothing has to be set or chosen first"


def test_a_fresh_clone_is_in_demo_mode() -> None:
    assert yaml.safe_load((ROOT / "config.yaml").read_text())["mode"] == "demo"


def test_what_the_bot_keeps_is_in_the_volume_and_its_settings_cannot_be_written() -> None:
    settings = {"type": "bind", "source": "./config.yaml", "target": "/data/config.yaml", "read_only": True}
    no_folder = {"create_host_path": False}  # Docker would make one in place of a missing file
    assert BOT["volumes"] == DASHBOARD["volumes"] == ["data:/data", settings | {"bind": no_folder}]
    assert list(COMPOSE["volumes"]) == ["data"]
    assert "WORKDIR /data" in DOCKERFILE and "install -d -o 1000 -g 1000 /data" in DOCKERFILE


def test_only_the_bot_gets_the_keys_and_neither_git_nor_the_image_has_them(clone: dict[str, str]) -> None:
    (keys,) = BOT["env_file"]
    assert "env_file" not in DASHBOARD
    ignored = subprocess.run(["git", "check-ignore", "--quiet", keys["path"]], cwd=ROOT, check=False)
    assert ignored.returncode == 0
    assert sent([keys["path"], "config.yaml", "config.workflow.yaml"], DOCKERIGNORE) == set()
    example = (ROOT / "deploy/keys.example").read_text()
    assert all(f"#{variable}='" in example for variable in SECRET_VARIABLES)


def test_the_page_is_reached_from_this_machine_alone() -> None:
    assert DASHBOARD["ports"] == ["127.0.0.1:8377:8377"]
    assert "ports" not in BOT and "network_mode" not in DASHBOARD
    assert DASHBOARD["command"] == ["dashboard"]


def test_the_pages_health_check_asks_for_a_page_that_is_there_with_and_without_a_token() -> None:
    (code,) = [word for word in DASHBOARD["healthcheck"]["test"] if "urlopen" in word]
    assert "'http://127.0.0.1:8377/'" in code, "the login is there with a token alone"
    compile(code, "compose.yaml", "exec")


@SERVICES
def test_a_stop_takes_ten_seconds_at_most(service: dict[str, Any]) -> None:
    assert service["stop_grace_period"] == "10s" and service["init"] is True


# --------------------------------------------------------------------------- the image


def test_the_image_has_every_file_of_the_program(clone: dict[str, str]) -> None:
    """A new folder is in it by itself: what is left out is named, not what is taken."""
    program = {path for path in clone if "/" in path and path.split("/")[0] not in NOT_IN_THE_IMAGE}
    program |= {path for path in clone if "/" not in path and path.endswith(".py")}
    in_image = sent(clone, DOCKERIGNORE)
    assert program - in_image == set()
    assert {path.split("/")[0] for path in in_image} & (NOT_IN_THE_IMAGE | {"config.yaml"}) == set()
    assert sent(["a_new_room/module.py", "marsshot/new/page.html"], DOCKERIGNORE) == {
        "a_new_room/module.py",
        "marsshot/new/page.html",
    }


def test_what_git_ignores_is_not_in_the_image() -> None:
    for line in (ROOT / ".gitignore").read_text().splitlines():
        if line and not line.startswith("#"):
            name = line.strip("/").replace("*", "x")
            inside = f"{name}/file" if line.endswith("/") else name
            assert sent([inside], DOCKERIGNORE) == set(), line
            if not line.startswith("/"):
                assert sent([f"marsshot/{inside}"], DOCKERIGNORE) == set(), line


@pytest.mark.parametrize("name", ["bot_state.json", "bot_state.json.bak", "trades.paper.csv", "model.pkl", "bot.log.1"])
def test_no_book_model_or_log_is_in_the_image(name: str) -> None:
    assert sent([name], DOCKERIGNORE) == set()


def test_what_the_dockerfile_runs_and_copies_is_in_a_fresh_clone(clone: dict[str, str]) -> None:
    in_image = sent(clone, DOCKERIGNORE)
    for source in re.findall(r"^COPY (?!--from)(\S+) ", DOCKERFILE, re.MULTILINE):
        assert source == "." or source in in_image, source
    (script,) = re.findall(r"ln -s /app/(\S+) /usr/local/bin/marsshot", DOCKERFILE)
    assert script in in_image and clone[script] == "100755"
    assert json.loads(re.findall(r"^ENTRYPOINT (.*)$", DOCKERFILE, re.MULTILINE)[0]) == ["marsshot"]


def test_what_the_bot_tells_to_type_can_be_typed() -> None:
    assert f'{COMMAND_VARIABLE}="{CONTAINER_COMMAND}"' in DOCKERFILE
    assert "marsshot" in COMPOSE["services"] and "/usr/local/bin/marsshot" in DOCKERFILE
    said = with_command_name("python main.py resume; python train_model.py; then python main.py", CONTAINER_COMMAND)
    assert said == f"{CONTAINER_COMMAND} resume; {CONTAINER_COMMAND} train_model.py; then docker compose up -d"
    for language in LANGUAGES:
        stopped = with_command_name(load_texts(language)["demo.stopped"], CONTAINER_COMMAND)
        assert "docker compose up -d" in stopped, "no value brings a command of its own"


# --------------------------------------------------------------------------- deploy/container.sh

SCRIPT = """
import pathlib, signal, sys, time
name = pathlib.Path(__file__).name
with open("ran", "a") as ran:
    print(name, *sys.argv[1:], file=ran)
def stop(*_):
    time.sleep(0.2)  # the order in hand
    print("stopped", name, file=open("ran", "a"))
    sys.exit(0)
if not pathlib.Path(f"{name}.dies").exists():
    signal.signal(signal.SIGTERM, stop)
if pathlib.Path(f"{name}.waits").exists():
    print("ready", flush=True)
    time.sleep(60)
code = pathlib.Path(f"{name}.code")
sys.exit(int(code.read_text()) if code.exists() else 0)
"""


_STARTED: list[subprocess.Popen[str]] = []


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """The folder /data, beside a program of scripts that only note that they were run."""
    program = tmp_path / "app"
    (program / "deploy").mkdir(parents=True)
    for name in ("build_csv.py", "train_model.py", "main.py", "dashboard.py"):
        (program / name).write_text(SCRIPT)
    (program / "deploy/container.sh").write_bytes((ROOT / "deploy/container.sh").read_bytes())
    (program / "deploy/container.sh").chmod(0o755)
    (tmp_path / "data").mkdir()
    (tmp_path / "tmp").mkdir()
    return tmp_path / "data"


@pytest.fixture(autouse=True)
def started() -> Iterator[list[subprocess.Popen[str]]]:
    """What a test has started ends with it, its children too."""
    _STARTED.clear()
    yield _STARTED
    for process in _STARTED:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(5)


def start(volume: Path, *arguments: str, prefix: Sequence[str] = ()) -> subprocess.Popen[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {"PATH": path, "TMPDIR": str(volume.parent / "tmp"), "PYTHONPATH": str(ROOT)}
    command = [*prefix, str(volume.parent / "app/deploy/container.sh"), *arguments]
    process = subprocess.Popen(
        command,
        cwd=volume,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    _STARTED.append(process)
    return process


def ran(volume: Path) -> list[str]:
    return (volume / "ran").read_text().splitlines() if (volume / "ran").exists() else []


def line_with(process: subprocess.Popen[str], text: str) -> str:
    assert process.stdout is not None
    return next(line for line in process.stdout if text in line)


def stop(process: subprocess.Popen[str]) -> int:
    """What `docker compose stop` does. Returns the exit code; more than five seconds are too many."""
    process.send_signal(signal.SIGTERM)
    return process.wait(5)


@pytest.fixture
def health(volume: Path) -> Callable[[], int]:
    def check() -> int:
        return start(volume, "health").wait(20)

    return check


def test_a_demo_is_built_trained_and_run_and_stays_to_be_looked_at(volume: Path, health: Callable[[], int]) -> None:
    (volume / "config.yaml").write_text("language: en\nmode: demo   # shipped\n")
    process = start(volume)
    assert "http://127.0.0.1:8377" in line_with(process, "The demo is over")
    assert ran(volume) == ["build_csv.py", "train_model.py", "main.py run"]
    assert health() == 0
    assert stop(process) == 0


@pytest.mark.parametrize("mode", ["paper", "'live'"])
def test_paper_and_live_run_the_bot_alone(volume: Path, mode: str) -> None:
    (volume / "config.yaml").write_text(f"mode: {mode}\n")
    assert start(volume, "run").wait(10) == 0
    assert ran(volume) == ["main.py run"]


@pytest.mark.parametrize("step", ["build_csv.py", "main.py"])
def test_a_stop_is_handed_on_and_the_order_in_hand_finished(volume: Path, step: str) -> None:
    (volume / "config.yaml").write_text("mode: demo\n")
    (volume / f"{step}.waits").touch()
    process = start(volume)
    line_with(process, "ready")
    assert stop(process) == 0
    assert ran(volume)[-1] == f"stopped {step}"
    assert "train_model.py" not in ran(volume) or step == "main.py"


@pytest.mark.parametrize(("command", "script"), [("run", "train_model.py"), ("dashboard", "dashboard.py")])
def test_what_a_stop_ends_at_once_was_ended_as_it_should_be(volume: Path, command: str, script: str) -> None:
    """Training and the page have nothing in hand: SIGTERM ends them, and Docker is not to show that as a failure."""
    (volume / "config.yaml").write_text("mode: demo\n")
    (volume / f"{script}.waits").touch()
    (volume / f"{script}.dies").touch()
    process = start(volume, command)
    line_with(process, "ready")
    assert stop(process) == 0
    assert "main.py run" not in ran(volume)
    assert process.stdout is not None
    assert process.stdout.read() == "", "nor does the log show one"


def test_a_death_that_nobody_asked_for_is_a_failure(volume: Path) -> None:
    (volume.parent / "app/dashboard.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGTERM)")
    assert start(volume, "dashboard").wait(10) == 143


def test_a_failure_ends_the_container_so_that_docker_begins_anew(volume: Path) -> None:
    (volume / "config.yaml").write_text("mode: demo\n")
    (volume / "train_model.py.code").write_text("1")
    assert start(volume).wait(10) == 1
    assert ran(volume) == ["build_csv.py", "train_model.py"]


@pytest.mark.parametrize(("command", "script"), [("run", "main.py"), ("dashboard", "dashboard.py")])
def test_wrong_settings_are_told_once_and_are_not_healthy(
    volume: Path, health: Callable[[], int], command: str, script: str
) -> None:
    (volume / "config.yaml").write_text("mode: paper\n")
    (volume / f"{script}.code").write_text("2")
    process = start(volume, command)
    told = line_with(process, "Mend that")
    assert "docker compose up -d --force-recreate" in told, "a restart does not read deploy/keys again"
    assert len(ran(volume)) == 1
    assert health() == 1
    assert stop(process) == 0


@pytest.mark.skipif(os.geteuid() == 0 and not shutil.which("setpriv"), reason="root reads everything")
@pytest.mark.parametrize("arguments", [["run"], ["dashboard"], ["status"]])
def test_settings_that_the_containers_user_may_not_read_are_told_with_what_to_type(
    volume: Path, arguments: list[str]
) -> None:
    """Cloned with a strict umask, or closed because a key stands in it, config.yaml is its owner's alone."""
    (volume / "config.yaml").write_text("mode: paper\n")
    (volume / "config.yaml").chmod(0)
    no_root = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
    process = start(volume, *arguments, prefix=no_root)
    assert "chmod a+r config.yaml" in line_with(process, "may not read config.yaml")


def test_a_bot_is_healthy_while_its_heart_beats(volume: Path, health: Callable[[], int]) -> None:
    assert health() == 1
    for age, code in ((0, 0), (3600, 1)):
        beat = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - age))
        (volume / "heartbeat.demo.json").write_text(json.dumps({"time": beat}))
        assert health() == code


def test_a_bot_that_waits_for_mended_settings_is_not_healthy_by_an_older_heartbeat(
    volume: Path, health: Callable[[], int]
) -> None:
    beat = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    (volume / "heartbeat.paper.json").write_text(json.dumps({"time": beat}))
    (volume / "config.yaml").write_text("mode: live\n")
    (volume / "main.py.code").write_text("2")
    line_with(start(volume), "Mend that")
    assert health() == 1


def test_the_page_and_every_command_are_there(volume: Path) -> None:
    for arguments in (["dashboard"], ["status", "--json"], ["build_csv.py", "--days", "9"]):
        assert start(volume, *arguments).wait(10) == 0
    assert ran(volume) == [
        "dashboard.py --host 0.0.0.0 --published-on 127.0.0.1",
        "main.py status --json",
        "build_csv.py --days 9",
    ]
