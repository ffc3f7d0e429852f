"""The daily pass beside the baseline (fetch, join, predict, token by token), both in one run, on synthetic coins.

    pip install -r requirements/benchmarks.txt
    python benchmarks/daily_update.py [--tokens 150] [--days 365] [--trees 300] [--repeats 3]

First against the stub market at 0.1 seconds an answer: requests, and how long it takes. Then the calculation
alone, in CPU seconds: reading the answers, features, scores for all; waiting (on a virtual clock), network and disk are
left out. With no cache, with yesterday's (some days of each coin are asked for anew), and with today's. At last the
plan's limit: how much longer than it dictates a pass takes, on a virtual clock with 0.1 seconds an answer.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic, process_time
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
import requests
from rich.console import Console
from rich.table import Table
from sklearn.ensemble import RandomForestClassifier

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import baseline_csv
from benchmarks.stub_market import MARKET, StubMarket, settings_text, token_names
from benchmarks.synthetic_lunarcrush import DAY_SECONDS, answer_about
from marsshot.config.loader import read_settings
from marsshot.config.settings import Settings
from marsshot.infra.clock import SystemClock, VirtualClock
from marsshot.market_data.lunarcrush import LunarCrush
from marsshot.model.features import FEATURES
from marsshot.model.model_files import LoadedModel, load_model, save_model
from ml_decision import get_probabilities, score_tokens

NOW = datetime(2026, 1, 2, 1, 0, tzinfo=UTC)
MIDNIGHT = datetime(2026, 1, 2, tzinfo=UTC)
BASELINE_FEATURES = baseline_csv.PRICES[3:] + "volume market_cap galaxy_score alt_rank sentiment rsi macd atr".split()
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - the disk's work is no calculation
CHANGES = [f"{coin.lower()}_daily_change" for coin in MARKET]


@dataclass(frozen=True)
class Work:
    """What both sides are given."""

    tokens: list[str]
    days: int
    bodies: Mapping[str, list[tuple[int, str]]]  # the points of each coin: unix seconds, JSON
    model: LoadedModel
    settings: Settings


def main() -> None:
    """Measure, and show."""
    parser = argparse.ArgumentParser(description="Compare the daily pass with the baseline.")
    parser.add_argument("--tokens", type=int, default=150)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--trees", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        save_model(a_forest(arguments.trees), {"trained": "on synthetic rows"}, Path("model.pkl"))
        against_the_stand_in(arguments.tokens, arguments.days)
        work = some_work(arguments.tokens, arguments.days)
        the_calculation(work, arguments.repeats)
        under_the_plans_limit(work)


def a_forest(trees: int) -> RandomForestClassifier:
    """Return a forest such as train_model.py finds them, of random rows."""
    random = np.random.default_rng(0)
    rows = pd.DataFrame(random.random((20_000, len(FEATURES))), columns=list(FEATURES))
    labels = (random.random(20_000) < 0.15 + 0.1 * rows.iloc[:, 0]).astype(int)
    return RandomForestClassifier(trees, min_samples_leaf=20, max_features="sqrt", max_samples=0.25).fit(rows, labels)


# --------------------------------------------------------------------------- over the wire


def against_the_stand_in(tokens: int, days: int) -> None:
    """Count the requests of a pass, and its seconds: nothing cached, and once more."""
    names = token_names(tokens)
    with StubMarket(tokens, days + 1) as market:
        market.slow(lunarcrush=0.1)
        Path("config.yaml").write_text(settings_text(market, names))
        settings = read_settings(Path("config.yaml"))
        table = Table(title=f"{tokens} tokens against the stand-in, 0.1 s per answer", title_justify="left")
        for name in ("", "requests", "seconds", "baseline: requests"):
            table.add_column(name, justify="right" if name else "left")
        for case in ("nothing cached", "again, the same day"):
            before, begun = market.requests().get("lunarcrush", 0), monotonic()
            score_tokens(names, settings, SystemClock(), Path("model.pkl"))
            seconds, request_count = monotonic() - begun, market.requests().get("lunarcrush", 0) - before
            table.add_row(case, f"{request_count}", f"{seconds:.1f}", f"{3 * tokens}")
    Console().print(table)


# --------------------------------------------------------------------------- the calculation


def some_work(tokens: int, days: int) -> Work:
    """Return synthetic histories of so many tokens, a day longer than asked for, and what is needed to score them."""
    names = token_names(tokens)
    end = int(MIDNIGHT.timestamp()) + DAY_SECONDS
    answers = {
        coin: json.loads(answer_about(coin, days + 1, end, seed))["data"] for seed, coin in enumerate((*MARKET, *names))
    }
    bodies = {coin: [(point["time"], json.dumps(point)) for point in points] for coin, points in answers.items()}
    settings = read_settings(Path("config.yaml"))
    training = settings.training.model_copy(update={"days": days})
    settings = settings.model_copy(update={"training": training})
    return Work(names, days, bodies, load_model(Path("model.pkl")), settings)


def body_of(work: Work, coin: str, first: int, last: int) -> bytes:
    """Return LunarCrush's answer about one coin."""
    rows = ",".join(text for moment, text in work.bodies[coin] if first <= moment <= last)
    return f'{{"config":{{"symbol":"{coin}","bucket":"day"}},"data":[{rows}]}}'.encode()


@contextmanager
def no_network(work: Work, each_takes: Callable[[], None] = lambda: None) -> Iterator[list[float]]:
    """Answer LunarCrush's requests from memory; yield a list that gets the CPU seconds which the answering took."""
    spent: list[float] = []

    def answer(_session: requests.Session, url: str, *, params: dict[str, int], **_: Any) -> requests.Response:
        begun = process_time()
        response = requests.Response()
        response.status_code = 200
        response._content = body_of(work, url.split("/")[-3], params["start"], params["end"])
        each_takes()
        spent.append(process_time() - begun)
        return response

    with patch.object(requests.Session, "get", answer):
        yield spent


def source_of(work: Work, clock: VirtualClock, cache: str, per_minute: int = 10) -> LunarCrush:
    """Return a client with this cache."""
    return LunarCrush(
        api_key="key", base_url="http://nowhere", requests_per_minute=per_minute, cache_dir=Path(cache), clock=clock
    )


def one_pass(work: Work, moment: datetime, cache: str) -> float:
    """Return the CPU seconds of one pass at that time, with that cache; what stands for the network not counted."""
    clock = VirtualClock(moment)
    source = source_of(work, clock, cache)
    with no_network(work) as spent:
        begun = process_time()
        scoring = get_probabilities(work.tokens, work.settings, clock, source, work.model)
        seconds = process_time() - begun - sum(spent)
    if any(score.probability is None for score in scoring.scores):
        raise SystemExit("not every token was scored: nothing to compare")
    return seconds


def baseline_daily_update(work: Work) -> float:
    """Return the CPU seconds of the baseline: for each token its history, BTC's and ETH's are read, joined, scored."""
    bodies = {coin: body_of(work, coin, 0, int(MIDNIGHT.timestamp()) - 1) for coin in work.bodies}
    begun = process_time()
    for token in work.tokens:
        frames = {coin: baseline_csv.points_as_rows(json.loads(bodies[coin])["data"]) for coin in (token, *MARKET)}
        rows = baseline_csv.with_indicators(frames[token])
        for coin, name in zip(MARKET, CHANGES, strict=True):
            rows = rows.merge(baseline_csv.daily_change(frames[coin], name), on="date", how="left")
        last = rows.dropna(subset=[*BASELINE_FEATURES, *CHANGES]).iloc[[-1]]
        columns = last.reindex(columns=list(work.model.features), fill_value=0.0)
        work.model.estimator.predict_proba(columns)
    return process_time() - begun


def the_calculation(work: Work, repeats: int) -> None:
    """Show the CPU seconds of both sides, the best of the repeats, taken in turns."""
    baseline, cold, next_day, same_day = [], [], [], []
    for _ in range(repeats):
        baseline.append(baseline_daily_update(work))
        with tempfile.TemporaryDirectory(dir=MEMORY) as cache:
            cold.append(one_pass(work, NOW, cache))
            same_day.append(one_pass(work, NOW + timedelta(hours=1), cache))
            next_day.append(one_pass(work, NOW + timedelta(days=1), cache))
    table = Table(title=f"{len(work.tokens)} tokens, CPU seconds without network and waiting", title_justify="left")
    for name in ("cache", "baseline", "MarsShot", "ratio"):
        table.add_column(name, justify="right" if name != "cache" else "left")
    for name, seconds in (("none", cold), ("yesterday's", next_day), ("today's", same_day)):
        table.add_row(name, f"{min(baseline):.2f}", f"{min(seconds):.3f}", f"{min(baseline) / min(seconds):.0f}")
    Console().print(table)


def under_the_plans_limit(work: Work) -> None:
    """Show how long the limit makes a pass take, and how long it takes, at 0.1 seconds an answer, nothing cached."""
    requests_needed = len(work.tokens) + len(MARKET)
    table = Table(title=f"{requests_needed} requests under the plan's limit, minutes", title_justify="left")
    for name in ("per minute", "limit", "pass", "longer"):
        table.add_column(name, justify="right")
    for per_minute in (10, 100):
        clock = VirtualClock(NOW)
        with tempfile.TemporaryDirectory(dir=MEMORY) as cache, no_network(work, lambda clock=clock: clock.sleep(0.1)):  # type: ignore[misc]
            get_probabilities(work.tokens, work.settings, clock, source_of(work, clock, cache, per_minute), work.model)
        # The first minute's requests may go at once; each minute after that lets as many more out.
        limit = (requests_needed - 1) // per_minute * 60 + ((requests_needed - 1) % per_minute + 1) * 0.1
        taken = (clock.now() - NOW).total_seconds()
        table.add_row(f"{per_minute}", f"{limit / 60:.2f}", f"{taken / 60:.2f}", f"{taken / limit * 100 - 100:.1f} %")
    Console().print(table)


if __name__ == "__main__":
    main()
