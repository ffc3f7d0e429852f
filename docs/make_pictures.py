"""`make pictures`: the pictures of both READMEs, of one whole job: data, model, a demo in each language, dashboard.

    python docs/make_pictures.py [--output docs/pictures]

Works in a folder of its own, which it takes away again. Needs Chromium (apt-get install chromium-headless-shell).
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image
from playwright.sync_api import Browser, sync_playwright
from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from docs.animated_svg import animated  # noqa: E402
from marsshot.config.bot_files import CONFIG, EQUITY_CHART  # noqa: E402
from marsshot.config.loader import read_settings  # noqa: E402
from marsshot.core.catalog import LANGUAGES, Catalog, Language  # noqa: E402
from marsshot.demo.demo import run_demo  # noqa: E402
from marsshot.demo.frame import Scene, frame  # noqa: E402
from marsshot.demo.view import DemoView  # noqa: E402
from marsshot.reporting.model_page import model_page  # noqa: E402

PICTURES = ROOT / "docs" / "pictures"
MAX_BYTES = 1_500_000  # all of them together
IN_EACH_LANGUAGE = ("demo.svg", "dashboard-light.png", "dashboard-dark.png", "equity.png", "report.png")

COLUMNS, ROWS = 80, 24
DAYS_A_FRAME, SECONDS_A_FRAME = 3, 0.9
DASHBOARD_SIZE, REPORT_SIZE = (1200, 1000), (1000, 920)  # as far as a panel ends
EQUITY_WIDTH = 1000
COLOURS = 256  # enough for pages and curves, and less than half of the bytes
# Without a window first: it takes half of the time of a whole browser.
CHROMIUM_NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
CHROMIUM_OPTIONS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")


def file_of(name: str, language: str) -> str:
    """Return what a picture is called in a language: demo.svg, demo.fr.svg."""
    return name if language == "en" else f".{language}.".join(name.split("."))


def names() -> list[str]:
    """Return what all of them are called."""
    return [file_of(name, language) for language in LANGUAGES for name in IN_EACH_LANGUAGE]


class FilmedDemo(DemoView):
    """Looks on as whoever sits at a terminal does, and keeps a frame every few days."""

    def __init__(self, catalog: Catalog) -> None:
        super().__init__(Console(file=io.StringIO(), force_terminal=True, width=COLUMNS, height=ROWS), catalog)
        self.frames: list[list[Text]] = []
        self._words = catalog
        self._next_day = 0
        self.is_over = False

    def show(self, scene: Callable[[], Scene]) -> None:
        """Keep what would be shown, if it is time."""
        now = scene()
        self.is_over = now.day == now.days
        if now.day >= self._next_day and now.trades:
            self.frames.append(frame(now, COLUMNS, ROWS, self._words))
            self._next_day = now.day + DAYS_A_FRAME


def main() -> int:
    """Make them all. Returns the exit code: 1 where they are too large or there is no Chromium."""
    parser = argparse.ArgumentParser(description="Makes the pictures of the READMEs, from a demo.")
    parser.add_argument("--output", type=Path, default=PICTURES, help="the folder for them")
    output: Path = parser.parse_args().output.resolve()
    chromium = next((path for name in CHROMIUM_NAMES if (path := shutil.which(name))), None)
    if chromium is None:
        print("There is no Chromium: apt-get install chromium-headless-shell", file=sys.stderr)  # noqa: T201
        return 1
    output.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_OPTIONS)
        with TemporaryDirectory(prefix="marsshot") as folder, contextlib.chdir(folder):
            _train()
            for language in LANGUAGES:
                _shoot_report(language, browser, output)
                _film(language, output)
                _shoot_dashboard(language, browser, output)
        browser.close()
    return _check_size(output)


def _train() -> None:
    """Make data and model in the working directory, as `make run` does."""
    shutil.copyfile(ROOT / CONFIG, CONFIG)
    for script in ("build_csv.py", "train_model.py"):
        subprocess.run([sys.executable, ROOT / script], check=True)  # noqa: S603 - our own


def _shoot_report(language: Language, browser: Browser, output: Path) -> None:
    """Take the report of the working directory's model, as it is made under this language."""
    facts = json.loads(Path("model.demo.json").read_text(encoding="utf-8"))
    page = Path(f"report.{language}.html").resolve()
    page.write_text(model_page(facts, "model.demo.pkl", Catalog(language)), encoding="utf-8")
    _shoot(browser, page.as_uri(), REPORT_SIZE, output / file_of("report.png", language))


def _film(language: str, output: Path) -> None:
    """Run the demo in the working directory, and keep its frames and its curve."""
    shipped = (ROOT / CONFIG).read_text(encoding="utf-8")
    Path(CONFIG).write_text(shipped.replace("\nlanguage: en", f"\nlanguage: {language}"), encoding="utf-8")
    settings = read_settings(Path(CONFIG))
    view = FilmedDemo(Catalog(settings.language))
    run_demo(settings, Path(CONFIG), view=view)
    if not view.is_over:
        raise SystemExit("the demo was stopped: there are no pictures of it")
    svg = animated(view.frames, "MarsShot", COLUMNS, ROWS, SECONDS_A_FRAME)
    (output / file_of("demo.svg", language)).write_text(svg, encoding="utf-8")
    curve = output / file_of("equity.png", language)
    shutil.copyfile(settings.file(EQUITY_CHART), curve)
    _shrink(curve, EQUITY_WIDTH)


def _shoot_dashboard(language: str, browser: Browser, output: Path) -> None:
    """Take the first page, light and dark, after the working directory's demo."""
    with _dashboard() as address:
        for theme in ("light", "dark"):
            file = output / file_of(f"dashboard-{theme}.png", language)
            _shoot(browser, address, DASHBOARD_SIZE, file, theme=theme, until="#chart-worth[data-drawn] canvas")


@contextlib.contextmanager
def _dashboard() -> Iterator[str]:
    """Serve the working directory's pages for the block, and yield where."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, str(ROOT / "dashboard.py"), "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as server:  # noqa: S603 - our own
        try:
            assert server.stdout is not None  # noqa: S101 - it was asked for
            server.stdout.readline()  # says that it serves
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def _shoot(
    browser: Browser, address: str, size: tuple[int, int], file: Path, *, theme: str = "light", until: str = "body"
) -> None:
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if theme == "dark" else "light",
    )
    page = context.new_page()
    page.goto(address)
    page.wait_for_selector(until)
    page.screenshot(path=file)
    context.close()
    _shrink(file, size[0])


def _shrink(file: Path, width: int) -> None:
    """Write a picture anew with few colours, and no wider than this."""
    with Image.open(file) as picture:
        small = picture.convert("RGB")
    if small.width > width:
        small = small.resize((width, round(small.height * width / small.width)), Image.Resampling.LANCZOS)
    small.quantize(COLOURS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(file, optimize=True)


def _check_size(output: Path) -> int:
    sizes = {output / name: (output / name).stat().st_size for name in sorted(names())}
    for file, size in sizes.items():
        print(f"{size / 1000:8.0f} kB  {file}")  # noqa: T201
    if sum(sizes.values()) > MAX_BYTES:
        print(f"together more than {MAX_BYTES / 1e6} MB: they have to be smaller", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
