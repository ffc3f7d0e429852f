"""The week's message: on which day it is due, its text, and the day of the last one, which a restart finds again.

The text is made by `main.py report --week` in a child: the bot stays small, and waits for nothing.
"""

from __future__ import annotations

import json
import subprocess
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path
from typing import get_args

from marsshot.config.settings import WeeklyReport
from marsshot.infra.atomic_files import Disk, replace_atomically
from marsshot.infra.child_processes import module_command, module_environment

REPORT = (*module_command("main", "-W", "ignore"), "report", "--week", "--config")
REPORT_SECONDS = 120.0  # then the child is killed
_DAYS_A_WEEK = 7


def is_week_due(day: date, weekday: WeeklyReport, last_sent: date | None) -> bool:
    """Return whether the daily update of this day is the first since the weekday came round.

    Where none was ever sent, that day itself is waited for. A last one in the future was told by a wrong clock.
    """
    if weekday == "never":
        return False
    due = day - timedelta(days=(day.weekday() - get_args(WeeklyReport).index(weekday)) % _DAYS_A_WEEK)
    return day == due if last_sent is None or last_sent > day else last_sent < due


def read_last_sent(path: Path) -> date | None:
    """Return the day of the last message; None where there was none, or the file cannot be read."""
    with suppress(OSError, ValueError, LookupError, TypeError):
        return date.fromisoformat(json.loads(Disk().read(path))["sent"])
    return None


def note_sent(path: Path, day: date) -> None:
    """Remember that this day's message was sent. Raises OSError."""
    replace_atomically(Disk(), path, f"{json.dumps({'sent': day.isoformat()})}\n".encode())


def week_text(config: Path) -> str:
    """Return the report's lines. Raises OSError, SubprocessError or ValueError where it cannot be made."""
    done = subprocess.run(  # noqa: S603 - our own program
        [*REPORT, str(config)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=module_environment() | {"PYTHONIOENCODING": "utf-8"},
        timeout=REPORT_SECONDS,
        check=True,
    )
    return done.stdout.decode().strip()
