"""model_report.html and its pictures: what stands there, and that it needs nothing from outside."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from decimal import Decimal
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from marsshot.config.bot_files import report_path
from marsshot.core.catalog import Catalog
from marsshot.market_data.bar_cache import FIELDS, DailyBars
from marsshot.model.features import feature_table, labelled
from marsshot.reporting.interval_charts import Dot, labelled_dot_chart, numeric_dot_chart
from marsshot.reporting.model_page import model_page
from marsshot.training import forest_search
from marsshot.training.verdict import verdict_text
from tests.helpers.french_text import is_wholly_french, plain, words_of_page
from tests.test_train_model import CONFIG, facts, run, some_data, write


@dataclass(frozen=True)
class Trained:
    """What came of a training under `language: fr`, of rows that mean nothing."""

    facts: dict[str, Any]
    page: str
    printed: str


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    printed = StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(printed), redirect_stderr(printed):
        patch.chdir(tmp_path_factory.mktemp("trained"))
        patch.setattr(forest_search, "SEARCH_TREES", 5)
        patch.setattr(forest_search, "FINAL_TREES", 8)
        Path("config.yaml").write_text(f"{CONFIG}language: fr\n")
        write(some_data(dates=90))
        assert run() == 0
        return Trained(facts(), Path("model_report.html").read_text(), printed.getvalue())


@pytest.fixture
def told(trained: Trained) -> dict[str, Any]:
    return trained.facts


FIRM = "\u00a0"


class Page(HTMLParser):
    """What a page holds: its text, its resources, its open elements."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.outside: list[str] = []
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.outside += [value or "" for name, value in attrs if name in {"src", "href", "srcset"}]

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_under_language_fr_tables_verdict_and_page_are_french(trained: Trained) -> None:
    assert is_wholly_french(trained.printed)
    assert "Verdict : Aucun avantage." in plain(trained.printed)
    assert '<html lang="fr">' in trained.page
    assert is_wholly_french(words_of_page(trained.page))
    assert f"{trained.facts['base_rate']:.1%}".replace(".", ",").replace("%", f"{FIRM}%") in trained.page
    assert max(len(line) for line in trained.printed.split("Verdict")[0].splitlines()) <= 80


def test_what_the_facts_keep_is_no_prose(told: dict[str, Any]) -> None:
    assert {one["kind"] for one in told["verdict"]["reasons"]} >= {"no_edge"}
    assert told["gate"]["reason"] is None
    assert not [text for text in texts_in(told) if text.count(" ") > 3 and text.count("0.") < 2], "scores apart"


def texts_in(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from texts_in(one)
    elif isinstance(value, str):
        yield value


def test_the_page_tells_what_the_facts_say_and_opens_offline(told: dict[str, Any]) -> None:
    text = model_page(told, "model.pkl", Catalog("en"))
    page = Page(text)
    words = " ".join(page.words)
    assert page.outside == [] and not {"script", "link", "img", "iframe"} & set(page.tags)
    assert "url(" not in text and "@import" not in text
    assert page.tags.count("svg") == 6
    for title in (
        "Beside what needs no model",
        "How often a score came true",
        "What each threshold picked on the hold-out",
        "Precision by threshold",
        "What the picks made of 1",
        "What it looks at",
        "Data",
    ):
        assert title in words
    future = told["hold_out"]
    verdict = verdict_text(told["verdict"]["reasons"])
    assert all(sentence in words for sentence in verdict) and verdict[0] == "No edge."
    assert f"{future['average_precision']:.3f}" in words and f"{future['base_rate']:.3f}" in words
    for row in future["thresholds"]:
        assert f"from {row['threshold']}" in words
    assert text.count("from 0.55<") == 1  # the settings say 0.55, as a threshold of the table does
    assert all(name in words for name in told["features"])


def test_what_comes_from_outside_is_escaped(told: dict[str, Any]) -> None:
    nasty = "<script>alert(1)</script>"
    warned = [{"kind": "never_bought", "threshold": nasty, "dates": 20, "score": 0.5}]
    text = model_page(told | {"symbols": [nasty], "warnings": warned}, nasty, Catalog("en"))
    assert nasty not in text and text.count("&lt;script&gt;") >= 3


@pytest.mark.parametrize("missing", ["volatility_alone", "atr_alone", "chance"])
def test_baselines_that_could_not_be_measured_are_left_out(told: dict[str, Any], missing: str) -> None:
    nothing = told["hold_out"] | {missing: None, "average_precision": None, "roc_auc": None}
    assert "<svg" in model_page(told | {"hold_out": nothing}, "model.pkl", Catalog("en"))


def test_a_threshold_that_never_bought_is_told_at_the_top(told: dict[str, Any]) -> None:
    warning = {"kind": "never_bought", "threshold": "0.9", "dates": 20, "score": 0.5}
    warned = model_page(told | {"warnings": [warning]}, "model.pkl", Catalog("en"))
    assert warned.index("never have bought") < warned.index("Beside what needs no model")


@pytest.mark.parametrize(
    ("model", "report"),
    [
        ("model.pkl", "model_report.html"),
        ("model.demo.pkl", "model_report.demo.html"),
        ("there/model.demo.candidate.pkl", "there/model_report.demo.candidate.html"),
    ],
)
def test_a_report_has_its_models_name(model: str, report: str) -> None:
    assert report_path(Path(model)) == Path(report)


# ------------------------------------------------------------------------------------------ pictures


def parts(svg: str, kind: str) -> list[ElementTree.Element]:
    """The elements of a picture with this class."""
    elements = ElementTree.fromstring(svg).iter()  # noqa: S314 - our own
    return [one for one in elements if kind in one.get("class", "").split()]


def test_dots_stand_higher_where_the_value_is_larger() -> None:
    dots = [(0.2, Dot(0.1, 0.05, 0.2)), (0.8, Dot(0.4, None, None))]
    svg = numeric_dot_chart(
        "T", dots, (0.0, 1.0), ".1f", Catalog("en"), level=0.3, marks=[(0.7, "buy <")], curve=[(0, 0), (1, 9)]
    )
    low, high = parts(svg, "dot")
    assert float(high.get("cy", "")) < float(low.get("cy", "")) and float(high.get("cx", "")) > float(low.get("cx", ""))
    (whisker,) = parts(svg, "whisker")
    assert float(whisker.get("y2", "")) < float(low.get("cy", "")) < float(whisker.get("y1", ""))
    assert len(parts(svg, "mark")) == len(parts(svg, "level")) == 1 and "buy &lt;" in svg


def test_rows_have_their_names_and_bars_from_zero() -> None:
    svg = labelled_dot_chart(
        "T", [("rsi", Dot(0.02, 0.01, 0.03)), ("atr", Dot(-0.01, -0.02, 0.0))], "", Catalog("en"), zero=True
    )
    more, less = (float(beam.get("x2", "")) - float(beam.get("x1", "")) for beam in parts(svg, "beam"))
    assert more == pytest.approx(-2 * less, abs=0.2) and more > 0
    assert [name in svg for name in (">rsi<", ">atr<")] == [True, True]
    assert (
        parts(labelled_dot_chart("T", [("all the same", Dot(0.0, 0.0, 0.0))], "", Catalog("en"), zero=False), "beam")
        == []
    )


# ------------------------------------------------------------------------------------------ a market without memory


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_on_a_pure_random_walk_the_report_says_no_edge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """From bars to page: tokens of unequal volatility, each day's move independent of all before."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(forest_search, "SEARCH_TREES", 5)
    monkeypatch.setattr(forest_search, "FINAL_TREES", 20)
    Path("config.yaml").write_text(CONFIG)
    tokens = [walk(f"T{number}", [seed, number], 0.02 + 0.005 * number) for number in range(12)]
    table = feature_table({token.symbol: token for token in tokens}, tokens[0], tokens[1])
    write(labelled(table, 2, Decimal("0.05")))
    assert run() == 0
    assert facts()["verdict"]["edge"] is False and facts()["verdict"]["reasons"][0] == {"kind": "no_edge"}
    assert "No edge." in Path("model_report.html").read_text()


def walk(symbol: str, seed: list[int], spread: float, days: int = 200) -> DailyBars:
    """A random walk's bars; its other fields are noise."""
    random = np.random.default_rng(seed)
    close = 10 * np.exp(np.cumsum(random.normal(0, spread, days)))
    opening = np.append(10, close[:-1])
    high, low = np.maximum(opening, close) * 1.01, np.minimum(opening, close) * 0.99
    values = np.column_stack([opening, high, low, close, random.uniform(1, 2, (days, len(FIELDS) - 4)) * 1e6])
    return DailyBars(symbol, np.datetime64("2024-01-01", "D") + np.arange(days), values)
