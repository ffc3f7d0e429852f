"""Pictures and pages have one set of colours, whatever draws them; a PNG needs no screen."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import pytest

from marsshot.core.catalog import Catalog, Language
from marsshot.infra.chart_style import THEMES, label_axes, png_figure, save_png
from marsshot.reporting.html_page import STYLE, page
from tests.helpers.builders import ROOT

DASHBOARD_NAMES = {"other": "btc"}  # as dashboard.css calls it
NOT_IN_DASHBOARD = {"grid", "quiet"}


@pytest.mark.parametrize("theme", THEMES)
def test_report_and_dashboard_have_the_same_colours(theme: str) -> None:
    css = (ROOT / "marsshot" / "dashboard" / "static" / "dashboard.css").read_text().replace("#fff;", "#ffffff;")
    for name, colour in asdict(THEMES[theme]).items():
        assert f"--{name.replace('_', '-')}: {colour};" in STYLE
        if name not in NOT_IN_DASHBOARD:
            assert f"--{DASHBOARD_NAMES.get(name, name).replace('_', '-')}: {colour};" in css


def test_every_colour_that_a_page_uses_is_given() -> None:
    given = THEMES["light"].as_css()
    for used in {part.split(")")[0] for part in page("t", "b", "en").split("var(--")[1:]}:
        assert f"--{used}:" in given


@pytest.mark.parametrize(
    ("language", "number", "day"), [("en", "1,700.5", "2026-11-30"), ("fr", "1\u202f700,5", "30/11/2026")]
)
def test_a_picture_writes_numbers_and_days_as_the_language_does(
    language: Language, number: str, day: str, tmp_path: Path
) -> None:
    figure, axes = png_figure(4, 2)
    axes.plot([datetime(2026, 11, 28, tzinfo=UTC), datetime(2026, 12, 4, tzinfo=UTC)], [1.0, 2.0])  # type: ignore[arg-type]
    label_axes(axes, Catalog(language))
    save_png(figure, tmp_path / "one.png")
    assert axes.yaxis.get_major_formatter()(1700.5, 0) == number
    assert day in {label.get_text() for label in axes.get_xticklabels()}


def test_a_picture_is_saved_and_given_back(tmp_path: Path) -> None:
    from matplotlib import pyplot as plt

    figure, axes = png_figure(4, 2)
    axes.plot([1.0, 2.0], [3.0, 4.0])
    assert save_png(figure, tmp_path / "one.png").read_bytes().startswith(b"\x89PNG")
    assert plt.get_fignums() == []
