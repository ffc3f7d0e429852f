"""The GitHub workflows: linted, and the owner's pipeline run for real against the recorded market on loopback."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from embedded_market.server.launcher import MarketProcess
from tests.helpers.builders import ROOT
from tests.helpers.workflow_runner import JobRun

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
DEPENDABOT = ROOT / ".github/dependabot.yml"
RELEASE: dict[Any, Any] = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text())
PIPELINE: dict[Any, Any] = yaml.safe_load((ROOT / ".github/workflows/ci_pipeline.yml").read_text())
TOOLS = Path(sys.executable).parent
INSTALL = "Install what MarsShot runs on"
LAST_RECORDED = date(2021, 9, 29)
GATE = """
import pathlib, sys
for name in ("model.candidate.pkl", "model.candidate.json", "model_report.html"):
    pathlib.Path(name).write_text("the candidate")
print("a table, 5.0% of the rows")
sys.exit("model.pkl: kept, the new model is clearly worse (0.21 against 0.34, -38%)")
"""


# ------------------------------------------------------------------------------------------ lint


def lint(*command: str | Path, text: str | None = None) -> None:
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_workflows_have_the_form_that_github_takes() -> None:
    lint(TOOLS / "check-jsonschema", "--builtin-schema", "vendor.github-workflows", *WORKFLOWS)


def test_the_workflows_may_no_more_than_they_need() -> None:
    lint(TOOLS / "zizmor", "--offline", "--no-progress", "--config", ROOT / ".github/zizmor.yml", *WORKFLOWS)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_the_shell_scripts_of_the_workflows_are_sound(path: Path) -> None:
    jobs = yaml.safe_load(path.read_text())["jobs"]
    scripts = [step["run"] for job in jobs.values() for step in job.get("steps", []) if "run" in step]
    assert scripts
    for script in scripts:
        lint(TOOLS / "shellcheck", "--shell=bash", "-", text=script)


def test_dependabot_has_the_form_that_github_takes_and_looks_after_everything() -> None:
    lint(TOOLS / "check-jsonschema", "--builtin-schema", "vendor.dependabot", DEPENDABOT)
    updates = yaml.safe_load(DEPENDABOT.read_text())["updates"]
    assert {update["package-ecosystem"] for update in updates} == {"uv", "github-actions", "docker"}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_action_is_pinned_by_its_digest_and_tells_its_version(path: Path) -> None:
    used = re.findall(r"uses: (.+)$", path.read_text(), re.MULTILINE)
    assert used
    for action in used:
        pinned = re.match(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+", action)
        assert pinned or action.startswith("./.github/workflows/"), action


def test_one_action_is_the_same_everywhere() -> None:
    pins: dict[str, set[str]] = {}
    for path in WORKFLOWS:
        for action, pin in re.findall(r"uses: ([\w./-]+)@(\S+  # \S+)", path.read_text()):
            pins.setdefault(action, set()).add(pin)
    assert pins and all(len(found) == 1 for found in pins.values()), pins


def test_a_fault_in_a_workflow_is_found(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yml"
    wrong.write_text("on: push\njobs: {a: {runs-on: x, step: []}}\n")
    with pytest.raises(AssertionError, match="step"):
        lint(TOOLS / "check-jsonschema", "--builtin-schema", "vendor.github-workflows", wrong)
    with pytest.raises(AssertionError, match="SC2086"):
        lint(TOOLS / "shellcheck", "--shell=bash", "-", text="cat $1")


def test_the_pipeline_runs_by_hand_only_and_only_its_last_job_may_write() -> None:
    assert PIPELINE["name"] == "Build and Train Pipeline"
    triggers: Any = PIPELINE.get("on", PIPELINE.get(True))  # YAML 1.1 reads the bare word "on" as true
    assert list(triggers) == ["workflow_dispatch"]
    jobs = PIPELINE["jobs"]
    assert PIPELINE["permissions"] == {}
    assert {name: job["permissions"] for name, job in jobs.items()} == {
        "train": {"contents": "read"},
        "commit": {"contents": "write"},
    }
    assert jobs["commit"]["needs"] == "train" and jobs["commit"]["if"] == "${{ inputs.commit_model }}"


# ------------------------------------------------------------------------------------------ the pipeline


@pytest.fixture(scope="module")
def market() -> Iterator[MarketProcess]:
    """LunarCrush on loopback, its record moved so that it ends today."""
    now = datetime.now(UTC)
    with MarketProcess(start=now.timestamp(), shift_days=(now.date() - LAST_RECORDED).days) as running:
        yield running


@pytest.fixture
def checkout(tmp_path: Path, market: MarketProcess) -> Path:
    """What actions/checkout leaves: the code, in a clone of a repository that can be pushed to."""
    folder = tmp_path / "work"
    folder.mkdir()
    for path in [*ROOT.glob("*.py"), ROOT / "requirements.txt", ROOT / ".gitignore"]:
        shutil.copy(path, folder)
    shutil.copytree(ROOT / "marsshot", folder / "marsshot", ignore=shutil.ignore_patterns("__pycache__"))
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    config["training_tokens"] = ["ADA", "LINK", "LTC", "XRP"]
    config["lunarcrush"] |= {"base_url": market.url, "requests_per_minute": 1000}
    config["training"] |= {"days": 200, "n_iter": 1}
    (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", "origin.git")
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", ".")
    git(folder, "-c", "user.name=Owner", "-c", "user.email=owner@example.org", "commit", "--quiet", "-m", "The code")
    git(folder, "remote", "add", "origin", "../origin.git")
    git(folder, "push", "--quiet", "--set-upstream", "origin", "main")
    return folder


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def train_job(checkout: Path, key: str, left_out: Sequence[str] = (INSTALL,)) -> JobRun:
    """The first job; where nothing else is said without pip, which takes seconds to find everything installed."""
    context = {"secrets.LUNARCRUSH_API_KEY": key}
    return JobRun(PIPELINE, "train", checkout, context, left_out=left_out).run()


def handed_out(job: JobRun) -> set[str]:
    """The files that the artifact would hold; none if the step that uploads was skipped."""
    if "actions/upload-artifact" not in job.used:
        return set()
    (upload,) = [step["with"] for step in job.steps if "upload-artifact" in step.get("uses", "")]
    patterns = upload["path"].split()
    return {path.name for path in job.folder.iterdir() if any(fnmatch.fnmatch(path.name, each) for each in patterns)}


def commit_job(checkout: Path, artifact: set[str]) -> tuple[JobRun, Path]:
    """The second job: a fresh clone, and the artifact's files in it."""
    clone = checkout.parent / f"clone{len(list(checkout.parent.glob('clone*')))}"
    git(checkout.parent, "clone", "--quiet", "origin.git", clone.name)
    for name in artifact:
        shutil.copy(checkout / name, clone)
    return JobRun(PIPELINE, "commit", clone, {"github.ref_name": "main"}).run(), clone


@pytest.mark.slow
@pytest.mark.timeout(900)  # several steps, each with a limit of its own
def test_the_pipeline_trains_hands_out_and_commits(checkout: Path, market: MarketProcess) -> None:
    job = train_job(checkout, market.lunarcrush_key, left_out=())
    assert INSTALL in [step.get("name") for step in job.steps]
    assert not job.failed, job.output
    assert job.used == ["actions/checkout", "actions/setup-python", "actions/upload-artifact"]
    assert {"training_data.csv", "model.pkl", "model.json"} <= handed_out(job)
    facts = json.loads((checkout / "model.json").read_text())
    assert facts["mode"] == "live" and facts["symbols"] == ["ADA", "LINK", "LTC", "XRP"]
    assert job.summary.startswith("### A new model has been trained\n") and "average precision" in job.summary
    assert job.errors == [] and market.lunarcrush_key not in job.output

    committed, clone = commit_job(checkout, handed_out(job))
    assert not committed.failed, committed.output
    assert git(clone, "log", "origin/main", "-1", "--format=%an %s").startswith(
        "github-actions[bot] New model, trained 2"
    )
    pushed = set(git(checkout.parent / "origin.git", "ls-tree", "--name-only", "main").splitlines())
    assert {"model.pkl", "model.json"} <= pushed and "training_data.csv" not in pushed
    again, _ = commit_job(checkout, handed_out(job))
    assert not again.failed and "The repository has this model already." in again.output


@pytest.mark.slow
def test_a_model_that_is_not_good_enough_is_handed_out_all_the_same(checkout: Path, market: MarketProcess) -> None:
    (checkout / "model.pkl").write_text("the old one")
    (checkout / "train_model.py").write_text(GATE)
    job = train_job(checkout, market.lunarcrush_key)
    assert job.failed
    assert {"training_data.csv", "model.candidate.pkl", "model.candidate.json", "model_report.html"} <= handed_out(job)
    assert job.summary.startswith("### No new model: model.pkl is as it was\n") and "a table" in job.summary
    # The runner reads %25 as the sign itself.
    assert job.errors == ["model.pkl: kept, the new model is clearly worse (0.21 against 0.34, -38%25)"]


def test_a_refused_key_is_told_in_one_line(checkout: Path) -> None:
    job = train_job(checkout, "wrong")
    assert job.failed and handed_out(job) == set()
    (line,) = job.errors
    assert line.startswith("LunarCrush refuses the key; check lunarcrush.api_key") and line.endswith("(401)")
    assert job.summary.startswith("### The training data could not be built\n")


def test_a_missing_secret_is_told_before_anything_is_installed(checkout: Path) -> None:
    job = train_job(checkout, "")
    assert job.failed and job.used == [] and job.summary == ""
    (line,) = job.errors
    assert line.startswith("The secret LUNARCRUSH_API_KEY is missing.")


def test_settings_without_a_mode_are_told(checkout: Path, market: MarketProcess) -> None:
    config = (checkout / "config.yaml").read_text()
    (checkout / "config.yaml").write_text(config.replace("mode: demo", "'mode': demo"))
    job = train_job(checkout, market.lunarcrush_key)
    assert job.failed and job.errors == ["config.yaml has no line that begins with mode:"]


# ------------------------------------------------------------------------------------------ the release


def test_a_release_is_tested_before_anything_is_pushed_and_each_job_may_one_thing() -> None:
    jobs = RELEASE["jobs"]
    assert {name: job.get("needs") for name, job in jobs.items()} == {
        "version": None,
        "test": "version",
        "image": "test",
        "release": "image",
    }
    assert jobs["test"]["uses"] == "./.github/workflows/tests.yml"
    assert RELEASE["permissions"] == {}
    assert {name: job["permissions"] for name, job in jobs.items()} == {
        "version": {"contents": "read"},
        "test": {"contents": "read"},
        "image": {"contents": "read", "packages": "write"},
        "release": {"contents": "write"},
    }


def test_the_image_is_for_both_processors_and_says_what_it_is_made_of() -> None:
    (build,) = [step["with"] for step in RELEASE["jobs"]["image"]["steps"] if "build-push" in step.get("uses", "")]
    assert build["platforms"] == "linux/amd64,linux/arm64"
    assert (build["provenance"], build["sbom"], build["push"]) == ("mode=max", True, True)


@pytest.mark.parametrize(
    ("tag", "tags"),
    [("v1.2.0", ["owner/marsshot:1.2.0", "owner/marsshot:latest"]), ("v1.2.0-rc.1", ["owner/marsshot:1.2.0-rc.1"])],
)
def test_only_a_finished_version_is_the_latest(
    tag: str, tags: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_REF_NAME", tag)
    monkeypatch.setenv("GITHUB_REPOSITORY", "Owner/MarsShot")
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))
    job = JobRun(RELEASE, "image", tmp_path, {}, ("GITHUB_REF_NAME", "GITHUB_REPOSITORY", "GITHUB_OUTPUT")).run()
    assert not job.failed, job.output
    lines = (tmp_path / "output").read_text().splitlines()
    assert lines == ["tags<<END", *(f"ghcr.io/{one}" for one in tags), "END"]


@pytest.mark.parametrize(("version", "options"), [("1.2.0", []), ("1.2.0-rc.1", ["--prerelease"])])
def test_the_github_release_says_what_changelog_says(
    version: str, options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Up to GitHub's own command, which is replaced by one that shows what it was given."""
    code, tools = tmp_path / "code", tmp_path / "tools"
    (code / "marsshot/core").mkdir(parents=True)
    (code / "marsshot/core/version.py").write_text(f'VERSION = "{version}"\n')
    (code / "CHANGELOG.md").write_text(f"# Changes\n\n## {version}\n\n- New.\n\n## 1.1.0\n\n- Old.\n")
    shutil.copytree(ROOT / "deploy", code / "deploy")
    tools.mkdir()
    (tools / "gh").write_text('#!/bin/sh\necho "gh $*"\ncat notes.md\n')
    (tools / "gh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("GITHUB_REF_NAME", f"v{version}")
    job = JobRun(RELEASE, "release", code, {"github.token": "token"}, ("GITHUB_REF_NAME",)).run()
    assert not job.failed, job.output
    command, _, *notes = job.output.splitlines()
    assert command.startswith(f"gh release create v{version} --verify-tag --title MarsShot {version} ")
    assert command.split()[-len(options) :] == options or not options
    assert notes == ["- New."]
