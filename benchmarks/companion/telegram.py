"""The companion at Telegram: the memory that it holds, and how soon a command is answered.

    python benchmarks/companion/telegram.py [--commands 50]

The real process, started as the bot starts it, against the stand-in for Telegram in this process. Memory is what Linux
says of it, in MB of a million bytes: resident, its share (Pss: what other processes use as well is counted in part) and
the peak. Over plain HTTP; with TLS the list of root certificates comes on top: measured in a process of its own.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import monotonic, sleep

import psutil
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from embedded_market.telegram.bot_api import TelegramStandIn  # noqa: E402 - after the path
from embedded_market.telegram.server import TelegramServer  # noqa: E402
from marsshot.config.loader import read_settings  # noqa: E402
from marsshot.infra.child_processes import module_environment  # noqa: E402
from marsshot.monitoring.telegram_process import telegram_companion  # noqa: E402

MEGABYTE = 1e6
TLS_TABLE = """
import psutil
import marsshot.telegram.__main__
before = psutil.Process().memory_info().rss
from marsshot.infra.tls import shared_ssl_context
shared_ssl_context()
print(psutil.Process().memory_info().rss - before)
"""


def main() -> None:
    """Measure, and show."""
    parser = argparse.ArgumentParser(description="Measure the companion at Telegram.")
    parser.add_argument("--commands", type=int, default=50)
    commands = parser.parse_args().commands
    stand_in = TelegramStandIn()
    with tempfile.TemporaryDirectory() as folder, TelegramServer(stand_in) as server:
        os.chdir(folder)
        config = Path(folder) / "config.yaml"
        config.write_text(_settings_text(stand_in, server.url))
        with telegram_companion(read_settings(config), config) as companion:
            assert companion is not None  # noqa: S101 - there is a chat
            _answer_seconds(stand_in, "/help")
            process = psutil.Process(companion.pid)
            at_rest = _memory(process)
            seconds = [_answer_seconds(stand_in, "/help") for _ in range(commands)]
            after = _memory(process)
            looked = [_answer_seconds(stand_in, "/status") for _ in range(3)]
    _show(at_rest, after, seconds, looked)


def _settings_text(stand_in: TelegramStandIn, url: str) -> str:
    shipped = (ROOT / "config.yaml").read_text().replace("mode: demo", "mode: paper", 1)
    section = f'telegram: {{token: "{stand_in.token}", chat_id: {stand_in.owner}, base_url: "{url}"}}\n'
    return shipped[: shipped.index("\ntelegram:\n") + 1] + section


def _answer_seconds(stand_in: TelegramStandIn, text: str) -> float:
    """Return how long the owner waits for an answer."""
    before, begun = len(stand_in.sent), monotonic()
    stand_in.write(text)
    while len(stand_in.sent) == before:
        sleep(0.001)
    return monotonic() - begun


def _memory(process: psutil.Process) -> dict[str, float]:
    status = Path(f"/proc/{process.pid}/status").read_text()
    peak = int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) * 1024
    full = process.memory_full_info()
    return {"resident": full.rss / MEGABYTE, "share": full.pss / MEGABYTE, "peak": peak / MEGABYTE}


def _tls_megabytes() -> float:
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-P", "-c", TLS_TABLE], env=module_environment(), capture_output=True, check=True, text=True
    )
    return int(done.stdout) / MEGABYTE


def _show(at_rest: dict[str, float], after: dict[str, float], seconds: list[float], looked: list[float]) -> None:
    table = Table(title="The companion at Telegram")
    for heading in ("", "resident MB", "share MB", "peak MB"):
        table.add_column(heading, justify="left" if not heading else "right")
    for name, one in (("at rest", at_rest), (f"after {len(seconds)} commands", after)):
        table.add_row(name, *(f"{one[key]:.1f}" for key in ("resident", "share", "peak")))
    console = Console()
    console.print(table)
    console.print(f"root certificates over TLS: {_tls_megabytes():.1f} MB more")
    console.print(f"answered by itself: {median(seconds) * 1000:.0f} ms; by a worker (/status): {median(looked):.2f} s")


if __name__ == "__main__":
    main()
