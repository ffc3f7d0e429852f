"""The bulk files: which ones a span needs, what is checked of them, what is kept, and a backtest over all of it."""

from __future__ import annotations

import io
import re
import time
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

import backtest
from embedded_market import EmbeddedMarket, MarketServer
from marsshot.backtesting.history.bulk_klines import BulkKlines, FaultyFileError, bytes_needed, files_of, read_zip
from marsshot.core.errors import TemporaryError
from marsshot.market_data.binance_public import BinancePublic

ROOT = Path(__file__).resolve().parents[2]
TODAY = date(2021, 6, 15)
DAY = timedelta(days=1)
HEADER = "open_time,open,high,low,close,volume,close_time,quote_volume,count,x,y,ignore"
LINE = "{opened},1.5,2.0,1.0,1.8,10,{closed},17.5,3,5,8,0"


def a_zip(*lines: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.csv", "\n".join(lines) + "\n")
    return buffer.getvalue()


class Harness:
    """The market of 2021, at that time."""

    def __init__(self, folder: Path) -> None:
        now = datetime(2021, 6, 15, 1, tzinfo=UTC).timestamp()
        self.market = EmbeddedMarket(clock=lambda: now)
        self.server = MarketServer(self.market)
        self.folder = folder

    def bulk(self) -> BulkKlines:
        return BulkKlines(BinancePublic(self.server.url), self.folder / "bulk")

    def asked(self) -> list[str]:
        return [one.path.rsplit("/", 1)[-1] for one in self.market.request_log]


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[Harness]:
    here = Harness(tmp_path)
    with here.server:
        yield here


# --------------------------------------------------------------------------- which files


def test_whole_months_come_as_one_file_and_the_days_of_the_running_one_by_themselves() -> None:
    names = [one.name for one in files_of("ADAUSDT", "5m", date(2021, 4, 1), date(2021, 6, 3), TODAY)]
    assert names == [
        "ADAUSDT-5m-2021-04.zip",
        "ADAUSDT-5m-2021-05.zip",
        *(f"ADAUSDT-5m-2021-06-0{day}.zip" for day in (1, 2, 3)),
    ]


def test_a_month_is_taken_whole_unless_little_of_it_is_wanted_and_the_last_days_have_no_file() -> None:
    middle = files_of("A", "1d", date(2021, 4, 20), date(2021, 5, 2), TODAY)
    assert [one.name for one in middle] == ["A-1d-2021-04.zip", "A-1d-2021-05.zip"]
    few = files_of("A", "1d", date(2021, 4, 20), date(2021, 4, 22), TODAY)
    assert [one.first.day for one in few] == [20, 21, 22]
    late = files_of("A", "1d", date(2021, 6, 12), date(2021, 6, 14), TODAY)
    assert [one.first.day for one in late] == [12, 13]


def test_the_room_that_files_take_grows_with_pairs_and_days() -> None:
    assert bytes_needed("5m", 10, date(2021, 1, 1), date(2021, 12, 27)) == 10 * 13 * 450_000


# --------------------------------------------------------------------------- what a file says


@pytest.mark.parametrize(("factor", "header"), [(1, ()), (1000, ()), (1, (HEADER,)), (1000, (HEADER,))])
def test_both_units_and_headers_are_read_alike(factor: int, header: tuple[str, ...]) -> None:
    opened = 1_735_689_600_000
    line = LINE.format(opened=opened * factor, closed=(opened + 300_000) * factor - 1)
    rows = read_zip(a_zip(*header, line), "a.zip")
    assert rows[0].tolist() == [opened, 1.5, 2.0, 1.0, 1.8, opened + 299_999, 17.5]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (a_zip(LINE.format(opened=1, closed=2))[:-30], "is not a whole zip file"),
        (b"<html>", "is not a whole zip file"),
        (a_zip("1,a,b,c,d,e,f,g,h"), "holds no klines"),
        (a_zip("1,2"), "holds no klines"),
        (a_zip(HEADER), "holds no klines"),
        (a_zip(LINE.format(opened="nan", closed=2)), "holds no klines"),
    ],
)
def test_what_is_no_file_of_klines_is_told_by_name(content: bytes, told: str) -> None:
    with pytest.raises(FaultyFileError, match=f"a.zip: {told}"):
        read_zip(content, "a.zip")


# --------------------------------------------------------------------------- fetching


def test_files_are_fetched_once_and_give_the_recorded_bars(harness: Harness) -> None:
    rows = harness.bulk().rows("ADAUSDT", "1d", date(2021, 3, 10), date(2021, 6, 13), TODAY)
    coin = harness.market.history.coins["ADA"]
    days = (rows[:, 0] // 86_400_000).astype(int).tolist()
    assert days == [day for day in range(days[0], days[0] + 96)] and len(rows) == 96
    assert rows[:, 4].tolist() == [float(coin.bars[day].close) for day in days]
    before = len(harness.asked())
    again = harness.bulk()
    assert np.array_equal(again.rows("ADAUSDT", "1d", date(2021, 3, 10), date(2021, 6, 13), TODAY), rows)
    assert len(harness.asked()) == before and again.bytes_fetched == 0


def test_what_was_fetched_before_a_stop_is_not_fetched_again(harness: Harness) -> None:
    harness.market.faults.add(service="binance", match="2021-05.zip", kind="status", status=503, times=3)
    span = ("ADAUSDT", "1d", date(2021, 3, 1), date(2021, 5, 31), TODAY)
    with pytest.raises(TemporaryError, match=r"ADAUSDT-1d-2021-05.zip: cannot be had now \(HTTP 503\)"):
        harness.bulk().rows(*span)
    harness.market.request_log.clear()
    assert len(harness.bulk().rows(*span)) == 92
    assert harness.asked() == ["ADAUSDT-1d-2021-05.zip", "ADAUSDT-1d-2021-05.zip.CHECKSUM"]


def test_a_month_without_a_file_yet_is_made_of_its_days(harness: Harness) -> None:
    harness.market.faults.add(service="binance", match="monthly/", kind="status", status=404, times=-1)
    assert len(harness.bulk().rows("ADAUSDT", "1d", date(2021, 5, 1), date(2021, 5, 31), TODAY)) == 31


@pytest.mark.parametrize("harm", [lambda content: content + b"x", lambda content: content[:-40]])
def test_a_file_that_its_checksum_does_not_fit_is_not_kept(harness: Harness, harm: Callable[[bytes], bytes]) -> None:
    harness.market.bulk_files.spoil = lambda name, content: harm(content)
    with pytest.raises(FaultyFileError, match=r"ADAUSDT-1d-2021-05\.zip: the checksum is wrong"):
        harness.bulk().rows("ADAUSDT", "1d", date(2021, 5, 1), date(2021, 5, 31), TODAY)
    assert not list(harness.folder.rglob("*.zip"))


def test_a_file_without_a_checksum_is_not_trusted(harness: Harness) -> None:
    harness.market.faults.add(service="binance", match="CHECKSUM", kind="status", status=404, times=-1)
    with pytest.raises(FaultyFileError, match="has no checksum"):
        harness.bulk().rows("ADAUSDT", "1d", date(2021, 5, 1), date(2021, 5, 31), TODAY)


# --------------------------------------------------------------------------- a backtest over it


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_backtest_fetches_what_it_needs_leaves_out_what_it_cannot_have_and_trades_on_five_minute_bars(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    today = datetime.now(UTC).date()
    market = EmbeddedMarket(clock=time.time, shift_days=(today - date(2021, 8, 20)).days)
    market.binance.klines.off["LINK"] = {date(2021, 8, 10)}
    market.bulk_files.spoil = lambda name, content: content + b"x" if name.startswith("LTCUSDT-5m") else content
    with MarketServer(market) as server:
        text = re.sub(r'"https://[a-z.-]+"', f'"{server.url}"', (ROOT / "config.yaml").read_text())
        text = re.sub(r"training_tokens:\n  \[[^]]*\]", "training_tokens: [ADA, BNB, DOGE, XRP]", text)
        (tmp_path / "config.yaml").write_text(text.replace("buy_threshold: 0.70", "buy_threshold: 0.40"))
        arguments = ["--source", "binance", "--tokens", "ADA,DOGE,LINK,LTC,NOPE", "--tries", "1", "--jobs", "1"]
        code = backtest.main([*arguments, "--from", str(today - 20 * DAY), "--retrain-days", "60"])
        captured = capsys.readouterr()
        out, err = captured.out, captured.err
        assert code == 0, err
        assert re.search(r"5 tokens, \S+ to \S+: about \d+ MB in cache/bulk", err)
        assert "left out: LINK: 1 day is missing between" in out
        assert re.search(r"left out: LTCUSDT-5m-\S+.zip: the checksum is wrong", out)
        assert "left out: NOPE: Binance has no pair NOPEUSDT, NOPEUSDC" in out
        assert "100 % of the token days have recorded bars inside the day" in " ".join(out.split())
        assert "Prices and volumes alone" in out
        before = len(market.request_log)
        assert backtest.main([*arguments[:3], "ADA,DOGE", *arguments[4:], "--from", str(today - 20 * DAY)]) == 0
        zips = [one.path for one in list(market.request_log)[before:] if ".zip" in one.path]
        assert zips == []
