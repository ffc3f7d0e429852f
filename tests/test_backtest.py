"""`python backtest.py`: what it prints and writes, what it refuses in one line, and that the page opens offline."""

from __future__ import annotations

import csv
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

import backtest
from marsshot.training import forest_search
from tests.helpers.backtest_builders import CONFIG, FIRST, LAST, TIGHT_RULES, save_forest
from tests.helpers.french_text import is_wholly_french, words_of_page

SPAN = ["--from", str(FIRST), "--to", str(LAST)]
CHANGES = [part for key, value in TIGHT_RULES.items() for part in ("--set", f"{key}={value}")]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with a model of the days before the span."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(forest_search, "SEARCH_TREES", 4)
    monkeypatch.setattr(forest_search, "FINAL_TREES", 12)
    save_forest(tmp_path / "model.pkl")
    shutil.copy(CONFIG, tmp_path / "config.yaml")
    return tmp_path


def _run(*arguments: str) -> int:
    return backtest.main(["--config", "config.yaml", *arguments])


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_a_run_prints_a_summary_and_writes_trades_curve_and_report(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(*SPAN, *CHANGES, "--model", "model.pkl") == 0
    shown = capsys.readouterr().out
    assert "What each rule earned or cost" in shown
    assert "holding BTC" in shown
    assert "Stand-ins: Galaxy Score" in shown
    with (folder / "backtest/trades.csv").open(newline="") as file:
        trades = list(csv.DictReader(file))
    assert f"{len(trades)} trades" in shown
    with (folder / "backtest/equity.csv").open(newline="") as file:
        curve = list(csv.DictReader(file))
    assert len(curve) == (LAST - FIRST).days + 2  # the start, and the value as each day ends
    assert f"{float(curve[-1]['MarsShot']):,.2f}" in shown
    page = (folder / "backtest/report.html").read_text()
    assert page.count("<tr>") >= len(trades)
    assert "fixed model model.pkl" in page


@pytest.mark.slow
def test_the_report_asks_for_nothing_from_outside_and_is_french_where_the_settings_are(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = (folder / "config.yaml").read_text()
    (folder / "config.yaml").write_text(re.sub(r"(?m)^language: .*$", "language: fr", settings))
    assert _run(*SPAN, *CHANGES, "--model", "model.pkl") == 0
    page = _Page()
    text = (folder / "backtest/report.html").read_text()
    shown = capsys.readouterr().out
    assert "Ce que chaque règle a rapporté ou coûté" in shown
    assert is_wholly_french(shown)
    assert '<html lang="fr">' in text
    assert is_wholly_french(words_of_page(text))
    assert (folder / "backtest/equity.csv").read_text().startswith("time,capital,held,MarsShot,holding BTC,"), "English"
    page.feed(text)
    assert not {"script", "link", "img", "iframe", "object"} & {tag for tag, _ in page.tags}
    assert not any({"src", "href", "data"} & attributes.keys() for _, attributes in page.tags)
    assert "url(" not in text
    assert "@import" not in text
    assert {"svg", "table", "style"} <= {tag for tag, _ in page.tags}
    assert "prefers-color-scheme: dark" in text


@pytest.mark.slow
def test_without_a_model_the_walk_is_told_on_the_way(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(*SPAN, *CHANGES, "--tries", "1", "--retrain-days", "6", "--jobs", "1") == 0
    told = capsys.readouterr()
    assert [line[:10] for line in told.err.splitlines()] == ["2021-02-21", "2021-02-27", "2021-03-05"][:2]
    assert "2 models, each trained on closes before its day only" in told.out


@pytest.mark.slow
def test_a_sweep_prints_its_table_and_what_to_make_of_the_best(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sweeps = ["--sweep", "strategy.stop_loss_pct=0.1,0.2", "--sweep", "strategy.trailing_pct=0.05:0.06:0.01"]
    assert _run(*SPAN, *CHANGES, "--model", "model.pkl", "--jobs", "1", *sweeps) == 0
    shown = capsys.readouterr().out
    assert "4 cells" in shown
    assert "The best of 4 cells is" in shown
    with (folder / "backtest/sweep.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 4
    assert (folder / "backtest/sweep.html").exists()
    assert not (folder / "backtest/trades.csv").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--from", "2019-01-01", "--to", "2019-02-01"], "outside the data"),
        (["--tokens", "FOO,ADA", *SPAN], "has no bar of FOO"),
        (["--tokens", "foo", *SPAN], "--tokens: tokens_daily.0: 'foo' is not allowed"),
        (["--set", "strategy.stop_loss_pct=2", *SPAN], "--set: strategy.stop_loss_pct: 2 is not allowed"),
        (["--sweep", "strategy.stop_loss_pct=2,3", *SPAN], "--sweep: strategy.stop_loss_pct: 2 is not allowed"),
        (["--set", "strategy.buy_threshold=0.2", *SPAN], "--set: strategy.sell_threshold"),
        (["--seeds", "2", "--model", "model.pkl", *SPAN], "--seeds: draws the models of the walk anew"),
        (["--seeds", "2", "--sweep", "strategy.stop_loss_pct=0.1,0.2", *SPAN], "--seeds: is not for a sweep"),
        (["--set", "stop_loss_pct", *SPAN], "the form is --set"),
        (["--sweep", "training.days=1,2", *SPAN], "only keys of the section strategy"),
        (["--scheduler", "tcp://127.0.0.1:1", *SPAN], "is for a sweep"),
        (["--data", "nowhere.csv", *SPAN], "nowhere.csv: there is no such file"),
        (["--rules", "nowhere.json", *SPAN], "nowhere.json: there is no such file"),
        (["--model", "nowhere.pkl", *SPAN], "nowhere.pkl: there is no such file"),
        (["--model", "model.pkl", "--from", "2021-02-20", "--to", "2021-02-25"], "was trained on closes up to"),
        (["--from", "2020-01-20", "--to", "2020-02-20", "--tokens", "ADA"], "there was too little to learn from"),
        (["--output", "model.pkl", *SPAN], "model.pkl is a file"),
        (["--output", "no/such/folder", *SPAN], "nothing can be written"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    assert _run(*arguments) == 2
    error = capsys.readouterr().err.strip()
    assert told in error
    assert len(error.splitlines()) == 1
    assert not (folder / "backtest").exists()


def test_a_run_in_which_nothing_is_bought_is_a_result(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(*SPAN, "--model", "model.pkl", "--set", "strategy.buy_threshold=1") == 0
    shown = capsys.readouterr().out
    assert "Nothing was bought from" in shown
    assert "strategy.buy_threshold is 1" in shown
    assert "+0.0 %" in shown
    assert (folder / "backtest/trades.csv").read_text().count("\n") == 1, "the header alone"


@pytest.mark.slow
def test_several_draws_begin_with_their_spread_and_show_the_one_in_the_middle(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(*SPAN, *CHANGES, "--tries", "1", "--retrain-days", "12", "--jobs", "1", "--seeds", "3") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("3 draws of the models: 1,000.00 USDT became ")
    with (folder / "backtest/seeds.csv").open(newline="") as file:
        draws = list(csv.DictReader(file))
    assert [draw["seed"] for draw in draws] == ["42", "43", "44"]
    middle = sorted(draws, key=lambda draw: float(draw["worth"]))[1]
    assert f"median {float(middle['worth']):,.2f}" in lines[0]
    assert f"seed {middle['seed']}" in "".join(lines)
    with (folder / "backtest/equity.csv").open(newline="") as file:
        assert float(list(csv.DictReader(file))[-1]["MarsShot"]) == pytest.approx(float(middle["worth"]))
    assert any(line.startswith("cash ") for line in lines)
    page = (folder / "backtest/report.html").read_text()
    assert page.index("3 draws of the models") < page.index("The bot over")


@pytest.mark.slow
def test_levers_months_and_exposure_are_told_in_eighty_columns(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    levers = ["--set", "strategy.max_share_per_token=0.1", "--set", "strategy.btc_trend_days=20"]
    assert _run(*SPAN, *CHANGES, "--model", "model.pkl", *levers) == 0
    shown = capsys.readouterr().out
    for title in ("What each lever did", "Days by share in tokens", "Month by month, in %"):
        table = shown[shown.index(title) :].split("\n")
        assert all(len(line.rstrip()) <= 80 for line in table[:3])
    (cut,) = (line.split() for line in shown.splitlines() if line.startswith("max_share_per_token 0.1"))
    assert int(cut[3]) > 0, "purchases were cut"
    (left_out,) = (line.split() for line in shown.splitlines() if line.startswith("btc_trend_days 20"))
    assert int(left_out[2]) > 0, "purchases were left out"


@pytest.mark.slow
def test_a_time_stands_once_in_the_curve(folder: Path) -> None:
    late = ["--set", "strategy.daily_update_hour_utc=23", "--set", "strategy.daily_update_minute_utc=59"]
    assert _run(*SPAN, *CHANGES, "--model", "model.pkl", *late) == 0
    with (folder / "backtest/equity.csv").open(newline="") as file:
        times = [row["time"] for row in csv.DictReader(file)]
    assert len(times) == len(set(times)) > 1


@pytest.mark.parametrize("arguments", [["--from", "soon"], ["--jobs", "0"], ["--retrain-days", "x"]])
def test_arguments_that_cannot_be_read_are_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        _run(*arguments)
    assert ended.value.code == 2
    assert arguments[1] in capsys.readouterr().err


def test_a_model_without_its_dates_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({"sha256": facts["sha256"]}))
    assert _run(*SPAN, "--model", "model.pkl") == 2
    assert "does not say on which dates it was trained" in capsys.readouterr().err
