"""build_csv.py as a process that is stopped in the middle: the next run asks only for what it has not got."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.builders import ROOT
from tests.market_data.test_lunarcrush import DAY, TODAY, StubResponse
from tests.test_build_csv import CONFIG, StubLunarCrush

TOKENS = ["ADA", "ARB", "FET", "LDO", "SOL"]


class StubLunarCrushOfToday(StubLunarCrush):
    """Closes up to the present day, for a process that goes by the machine's own clock."""

    def default_answer(self, request: Any) -> StubResponse:
        answer = super().default_answer(request)
        days = (int(datetime.now(UTC).timestamp()) - TODAY) // DAY
        for point in self.points:
            point["time"] += days * DAY
        self.config = {}
        return StubResponse(body={"config": {}, "data": self.points}, headers=answer.headers)


@pytest.fixture
def market() -> Iterator[StubLunarCrushOfToday]:
    market = StubLunarCrushOfToday()
    yield market
    market.server.shutdown()
    market.server.server_close()


def start() -> subprocess.Popen[str]:
    command = [sys.executable, str(ROOT / "build_csv.py"), "--tokens", ",".join(TOKENS)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGKILL])
def test_a_stop_costs_no_request_but_the_one_that_was_under_way(
    market: StubLunarCrushOfToday, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: signal.Signals
) -> None:
    monkeypatch.chdir(tmp_path)
    config = CONFIG.format(mode="live", key="key", url=market.url)
    Path("config.yaml").write_text(config.replace("requests_per_minute: 10", "requests_per_minute: 1000"))
    asked, stopped = threading.Event(), threading.Event()

    def hang(_: Any) -> None:
        asked.set()
        stopped.wait(30)

    market.script = [*[market.default_answer] * 4, hang]
    with start() as process:
        assert asked.wait(30)
        process.send_signal(stop)
        _, err = process.communicate()
    stopped.set()
    assert process.returncode == (1 if stop is signal.SIGINT else -stop)
    if stop is signal.SIGINT:
        assert err.splitlines()[-1].startswith("build_csv.py: interrupted; no file was changed")
    assert not Path("training_data.csv").exists()
    with start() as again:
        out, err = again.communicate()
    assert again.returncode == 0, err
    assert [market.coin(request) for request in market.requests] == ["BTC", "ETH", *TOKENS[:3], *TOKENS[2:]]
    assert "5 tokens" in out and "3 requests" in out
