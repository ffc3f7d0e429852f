"""Exit code 0 while a bot in this folder ends its rounds, else 1: `python -m marsshot.monitoring.health_check`.

Docker's health check asks it.
"""

from __future__ import annotations

import json
import sys
from datetime import datetime, timedelta
from pathlib import Path

from marsshot.config.bot_files import HEARTBEAT, in_every_mode
from marsshot.infra.clock import SystemClock

MAX_HEARTBEAT_AGE = timedelta(minutes=10)


def newest_heartbeat(folder: Path) -> datetime | None:
    """Return when a bot of any mode has last written its heartbeat here."""
    beats = []
    for path in (folder / name for name in in_every_mode(HEARTBEAT)):
        try:
            beats.append(datetime.fromisoformat(json.loads(path.read_text(encoding="utf-8"))["time"]))
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return max(beats, default=None)


def main(folder: Path = Path()) -> int:
    """Say how old the last sign of life is. Returns the exit code."""
    beat = newest_heartbeat(folder)
    if beat is None:
        print("no heartbeat yet")  # noqa: T201
        return 1
    age = SystemClock().now() - beat
    print(f"last heartbeat {age.total_seconds():.0f} seconds ago")  # noqa: T201
    return 0 if age <= MAX_HEARTBEAT_AGE else 1


if __name__ == "__main__":
    sys.exit(main())
