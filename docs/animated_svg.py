"""Frames of a terminal as one animated SVG: text and colours, no script, no font of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from rich.console import Console
from rich.segment import Segment
from rich.text import Text

CELL_WIDTH, LINE_HEIGHT, FONT_SIZE = 8, 17, 13
MARGIN, BAR_HEIGHT = 16, 30
LAST_FRAME_COUNTS = 8  # for so many frames the last one is shown, before it begins anew
COLOURS = {
    "green": "#3fb950",
    "red": "#ff7b72",
    "cyan": "#39c5cf",
    "yellow": "#e3b341",
    "bright_black": "#6e7681",
}
FOREGROUND, BACKGROUND, BAR = "#d0d7de", "#0d1117", "#21262d"
FONTS = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace"


def animated(frames: Sequence[Sequence[Text]], title: str, columns: int, rows: int, seconds: float) -> str:
    """Return the SVG that shows each frame for so many seconds. Where nothing may move, it shows the last one."""
    width, height = 2 * MARGIN + columns * CELL_WIDTH, 2 * MARGIN + BAR_HEIGHT + rows * LINE_HEIGHT
    strip = "".join(
        f'<g transform="translate({number * width} 0)">{"".join(_lines(lines, columns))}</g>\n'
        for number, lines in enumerate(frames)
    )
    lights = "".join(
        f'<circle cx="{18 + 18 * number}" cy="{BAR_HEIGHT // 2}" r="5" fill="{fill}"/>'
        for number, fill in enumerate(("#ff5f57", "#febc2e", "#28c840"))
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">\n'
        f"<title>{escape(title)}</title>\n<style>{_style(len(frames), width, seconds)}</style>\n"
        f'<clipPath id="window"><rect width="{width}" height="{height}" rx="8"/></clipPath>\n'
        f'<g clip-path="url(#window)"><rect width="{width}" height="{height}" fill="{BACKGROUND}"/>'
        f'<rect width="{width}" height="{BAR_HEIGHT}" fill="{BAR}"/>{lights}\n'
        f'<g class="strip">\n{strip}</g></g></svg>\n'
    )


def _style(frames: int, width: int, seconds: float) -> str:
    shares = frames + LAST_FRAME_COUNTS - 1
    steps = "".join(
        f"{100 * number / shares:.3f}%{{transform:translateX({-number * width}px)}}" for number in range(frames)
    )
    last = f"translateX({-(frames - 1) * width}px)"
    colours = "".join(f".{name}{{fill:{value}}}" for name, value in COLOURS.items())
    return (
        f"text{{font:{FONT_SIZE}px {FONTS};fill:{FOREGROUND};white-space:pre}}.bold{{font-weight:bold}}{colours}"
        f".strip{{transform:{last};animation:play {shares * seconds:.1f}s step-end infinite}}"
        f"@keyframes play{{{steps}100%{{transform:{last}}}}}"
        "@media (prefers-reduced-motion:reduce){.strip{animation:none}}"
    )


def _lines(lines: Sequence[Text], columns: int) -> Iterator[str]:
    console = Console(width=columns, force_terminal=True, color_system="standard", legacy_windows=False)
    for number, line in enumerate(lines):
        column, y = 0, BAR_HEIGHT + MARGIN + FONT_SIZE + number * LINE_HEIGHT
        for segment in line.render(console):
            yield _text(segment, column, y)
            column += segment.cell_length


def _text(segment: Segment, column: int, y: int) -> str:
    """Return a piece of a line at its column: its width is given, since fonts differ."""
    text = segment.text.strip()
    if not text:
        return ""
    column += len(segment.text) - len(segment.text.lstrip())
    style = segment.style
    names = [name for name in (("bold",) if style and style.bold else ())]
    if style and style.color and style.color.name in COLOURS:
        names.append(style.color.name)
    kind = f' class="{" ".join(names)}"' if names else ""
    place = f'x="{MARGIN + column * CELL_WIDTH}" y="{y}" textLength="{len(text) * CELL_WIDTH}"'
    return f"<text {place}{kind}>{escape(text, quote=False)}</text>"
