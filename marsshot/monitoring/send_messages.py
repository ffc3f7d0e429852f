"""Sends one message through Apprise: a short-lived process of its own, for Apprise and matplotlib need more memory than
the daemon may have, and a service that hangs must not hang the bot.

Reads JSON from its standard input: urls, title, body, kind, equity, the CSV file to draw, or nothing, and the picture's
language. Answers with a list: for each URL whether it took the message. Never says a URL, nor what a service answered:
both hold secrets.
"""

from __future__ import annotations

import json
import logging
import signal
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from marsshot.config.bot_files import EQUITY_CHART
from marsshot.core.catalog import Catalog, catalog_of
from marsshot.infra.atomic_files import Disk
from marsshot.infra.chart_style import THEMES, label_axes, png_figure, save_png

POINTS_FOR_A_CURVE = 2
MAX_RUN_SECONDS = 120


def main() -> int:
    """Send what standard input says. Returns the exit code."""
    signal.alarm(MAX_RUN_SECONDS)  # the bot that waits for this may be gone
    logging.disable()  # Apprise's lines may hold a URL
    order: dict[str, Any] = json.load(sys.stdin)
    with TemporaryDirectory() as folder:
        catalog = catalog_of(order.get("language", "en"))  # a bot of the version before names none
        picture = draw_equity(Path(order["equity"]), Path(folder), catalog) if order["equity"] else None
        json.dump([send(url, order, picture) for url in order["urls"]], sys.stdout)
    return 0


def send(url: str, order: dict[str, Any], picture: Path | None) -> bool:
    """Return whether the service behind this URL took the message."""
    from apprise import Apprise, AppriseAsset, NotifyFormat  # noqa: PLC0415 - this process is made for it

    service = Apprise(asset=AppriseAsset(app_id="MarsShot", app_desc="MarsShot", async_mode=False))
    if not service.add(url):
        return False
    return bool(
        service.notify(
            title=order["title"],
            body=order["body"],
            notify_type=order["kind"],
            body_format=NotifyFormat.TEXT,
            attach=str(picture) if picture else None,
        )
    )


def draw_equity(table: Path, folder: Path, catalog: Catalog) -> Path | None:
    """Draw the equity curve of equity.csv; None where there is nothing to draw."""
    from marsshot.bot.journal import read_equity  # noqa: PLC0415 - brings more than a message without a picture needs

    points = read_equity(table, Disk())
    if len(points) < POINTS_FOR_A_CURVE:
        return None
    figure, axes = png_figure(8, 4)
    moments, worths = [moment for moment, _ in points], [float(worth) for _, worth in points]
    axes.plot(moments, worths, color=THEMES["light"].own, linewidth=2.2)  # type: ignore[arg-type]
    axes.margins(x=0.01)
    axes.tick_params(axis="x", rotation=30)
    label_axes(axes, catalog)
    return save_png(figure, folder / EQUITY_CHART)


if __name__ == "__main__":
    sys.exit(main())
