"""How the pictures look, whatever draws them, SVG, Bokeh or matplotlib: colours, font, the frame of a PNG file.

Knows no data.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from marsshot.core.catalog import Catalog

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif'


@dataclass(frozen=True, slots=True)
class Colours:
    """Of one theme. own: the bot; other: what it is compared with; quiet: what is there for orientation."""

    page: str
    card: str
    ink: str
    soft: str
    rule: str
    grid: str
    own: str
    other: str
    quiet: str
    good: str  # a purchase, a gain
    bad: str  # a sale, a loss
    warn: str
    warn_back: str

    def as_css(self) -> str:
        """Return the colours as CSS variables."""
        return " ".join(f"--{name.replace('_', '-')}: {colour};" for name, colour in asdict(self).items())


THEMES = {
    "light": Colours(
        page="#f6f6f3",
        card="#ffffff",
        ink="#1d2430",
        soft="#5c6675",
        rule="#dfe2e7",
        grid="#eceef1",
        own="#1f6fb2",
        other="#b87614",
        quiet="#8a93a0",
        good="#1a7f4b",
        bad="#b3372f",
        warn="#7a5200",
        warn_back="#fdf3dc",
    ),
    "dark": Colours(
        page="#12161c",
        card="#1b212a",
        ink="#e6e9ee",
        soft="#9aa5b4",
        rule="#313a47",
        grid="#2b3441",
        own="#6cb4ee",
        other="#e8ac55",
        quiet="#8d98a8",
        good="#6fd3a0",
        bad="#f0857c",
        warn="#f0c869",
        warn_back="#33290f",
    ),
}


def png_figure(width: float, height: float) -> tuple[Figure, Axes]:
    """Return an empty picture of so many inches, to be saved as a file: a light grid, no frame above and beside it."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - heavy, and wanted by few

    colours = THEMES["light"]
    figure = Figure(figsize=(width, height), dpi=120, layout="constrained")
    axes = figure.subplots()
    axes.grid(color=colours.grid)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["bottom", "left"]].set_color(colours.rule)
    axes.tick_params(colors=colours.soft)
    return figure, axes


def label_axes(axes: Axes, catalog: Catalog) -> None:
    """Write the numbers at the side and the days below as the language does. The axis of days has to be one by now."""
    from matplotlib.dates import AutoDateFormatter  # noqa: PLC0415 - as above

    axes.yaxis.set_major_formatter(lambda value, _: catalog.show(value, ",.6g"))
    if catalog.language == "fr":
        days = AutoDateFormatter(axes.xaxis.get_major_locator())  # type: ignore[no-untyped-call]
        days.scaled |= _FRENCH_DAYS
        axes.xaxis.set_major_formatter(days)


# By days between two ticks, as matplotlib keeps them.
_FRENCH_DAYS = {365.0: "%Y", 30.0: "%m/%Y", 1.0: "%d/%m/%Y", 1 / 24: "%d/%m %H h", 1 / 1440: "%d/%m %H:%M"}


def save_png(figure: Figure, path: Path) -> Path:
    """Save a picture and return where it is."""
    figure.savefig(path)
    return path
