"""Real bars that the project may not pass on, where MARSSHOT_BARS names their folder: read whole, and traded on."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import pytest

from marsshot.backtesting.request import read_request
from marsshot.backtesting.simulation.engine import run
from tests.helpers.backtest_builders import CONFIG, TIGHT_RULES, random_scores
from tests.helpers.builders import ROOT

DATA = Path(os.environ.get("MARSSHOT_BARS", ROOT / "bars"))
RULES = DATA / "D_binance" / "exchangeInfo_prod_20230908_full.json.gz"


@pytest.mark.slow
@pytest.mark.skipif(not RULES.exists(), reason="needs recorded bars: MARSSHOT_BARS=FOLDER")
def test_twelve_days_of_real_bars_are_traded_alike_with_and_without_leaps() -> None:
    backtest_request = read_request(
        CONFIG,
        changes=TIGHT_RULES,
        tokens="ADA,SOL,XRP",
        data=DATA,
        rules=RULES,
        first=date(2023, 3, 18),  # with the hours of 2023-03-24 in which Binance stood still
        last=date(2023, 3, 29),
    )
    assert {"ADA", "BTC", "SOL"} <= set(backtest_request.dataset.intraday)
    scores = random_scores(backtest_request, 1)
    leaping, plodding = (
        run(
            backtest_request.settings,
            backtest_request.dataset,
            scores,
            *backtest_request.span,
            backtest_request.rules,
            skip_unchanged_checks=skip_unchanged_checks,
        )
        for skip_unchanged_checks in (True, False)
    )
    assert leaping.trades_csv == plodding.trades_csv
    assert len(leaping.trades) > 10
    assert leaping.alarms == ()
