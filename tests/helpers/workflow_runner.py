"""Runs the `run:` steps of a job of a GitHub workflow with bash, as the runner does; `uses:` steps are only noted.

Knows as much of the expressions as the workflows here use, and refuses any other.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

STEP_TIMEOUT_SECONDS = 400  # on a machine that others are busy on, too, a training takes minutes
SHELLS = {"bash": ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c"], None: ["bash", "-e", "-c"]}


@dataclass
class JobRun:
    """One run of one job in a folder.

    context: what expressions may ask for, such as `secrets.KEY`. inherited: the variables that the runner sets, taken
    from the test's environment. left_out: names of steps that are taken to have succeeded.
    """

    workflow: Mapping[str, Any]
    job: str
    folder: Path
    context: dict[str, str]
    inherited: Sequence[str] = ()
    left_out: Sequence[str] = ()
    used: list[str] = field(default_factory=list)  # the actions that would have run
    output: str = ""
    failed: bool = False

    @property
    def steps(self) -> Sequence[Mapping[str, Any]]:
        """The steps as they stand in the file."""
        return list(self.workflow["jobs"][self.job]["steps"])

    @property
    def summary(self) -> str:
        """What the page of the run shows."""
        return self._summary_file.read_text() if self._summary_file.exists() else ""

    @property
    def errors(self) -> list[str]:
        """The annotations of the run."""
        return re.findall(r"^::error.*?::(.*)$", self.output, re.MULTILINE)

    def run(self) -> JobRun:
        """Run every step whose condition holds."""
        for step in self.steps:
            if not self._condition(step.get("if")):
                self._note(step, "skipped")
            elif step.get("name") in self.left_out:
                self._note(step, "success")
            elif "uses" in step:
                self.used.append(step["uses"].partition("@")[0])
                self._note(step, "success")
            else:
                self._note(step, self._outcome_of(step))
        return self

    @property
    def _summary_file(self) -> Path:
        return self.folder.parent / f"{self.job}.summary.md"

    def _note(self, step: Mapping[str, Any], outcome: str) -> None:
        if "id" in step:
            self.context[f"steps.{step['id']}.outcome"] = outcome
        self.failed |= outcome == "failure"

    def _outcome_of(self, step: Mapping[str, Any]) -> str:
        own = {**self.workflow.get("env", {}), **step.get("env", {})}
        environment = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.folder.parent),
            "GITHUB_STEP_SUMMARY": str(self._summary_file),
            "PIP_NO_INDEX": "1",  # what is to be installed is there already
            **{name: os.environ[name] for name in self.inherited},
            **{name: self._filled(str(value)) for name, value in own.items()},
        }
        shell = SHELLS[self.workflow.get("defaults", {}).get("run", {}).get("shell")]
        done = subprocess.run(
            [*shell, step["run"]],
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=STEP_TIMEOUT_SECONDS,
        )
        self.output += done.stdout
        return "failure" if done.returncode else "success"

    def _filled(self, text: str) -> str:
        return re.sub(r"\$\{\{ (.*?) \}\}", lambda found: self.context[found[1]], text)

    def _condition(self, text: str | None) -> bool:
        if text is None:
            return not self.failed
        terms = text.removeprefix("${{ ").removesuffix(" }}").split(" && ")
        status = [] if "!cancelled()" in terms else [not self.failed]
        return all(status + [self._term(term) for term in terms])

    def _term(self, term: str) -> bool:
        if term == "!cancelled()":
            return True
        name, equals, wanted = term.partition(" == ")
        return self.context[name] == (wanted.strip("'") if equals else "true")
