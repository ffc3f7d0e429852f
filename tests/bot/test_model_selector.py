"""Which model a pass is scored with, and the life of the process that scores."""

from __future__ import annotations

import errno
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
from sklearn.tree import DecisionTreeClassifier

from embedded_market import EmbeddedMarket, MarketServer
from marsshot.bot.model_selector import ModelSelector
from marsshot.bot.scoring_process import ChildScoringProcess
from marsshot.config.settings import Settings
from marsshot.core.errors import InputError, MarsShotError, TemporaryError
from marsshot.core.scores import Score, Scoring
from marsshot.infra.atomic_files import Disk
from marsshot.model.model_files import load_model, save_model
from tests.helpers.trading_harness import TradingHarness, open_trading_harness

SYMBOLS = ["ADA", "DOT"]


class FakeScorer:
    """Scores with the number that the model's facts hold, after as many calls as the test wants."""

    def __init__(self) -> None:
        self.begun: list[Path] = []
        self.takes = 0
        self.error: Exception | None = None
        self._work: Path | None = None
        self._left = 0

    def start(self, symbols: Sequence[str], settings: Settings, model_path: Path) -> None:
        assert symbols and settings
        self.begun.append(model_path)
        self._work, self._left = model_path, self.takes

    def result(self) -> Scoring | None:
        if self._work is None:
            return None
        if self._left > 0:
            self._left -= 1
            return None
        path, self._work = self._work, None
        if self.error is not None:
            raise self.error
        number = Decimal(str(load_model(path).facts["number"]))
        return Scoring(datetime(2021, 2, 15, tzinfo=UTC).date(), tuple(Score(symbol, number) for symbol in SYMBOLS))

    @property
    def busy(self) -> bool:
        return self._work is not None

    def stop(self) -> None:
        self._work = None


@pytest.fixture
def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TradingHarness]:
    monkeypatch.chdir(tmp_path)
    with open_trading_harness(tmp_path) as harness:
        yield harness


@pytest.fixture
def process() -> FakeScorer:
    return FakeScorer()


def a_tree(columns: Sequence[str] = ("close",)) -> DecisionTreeClassifier:
    rows = pd.DataFrame({name: np.array([0.0, 1.0, 2.0, 3.0]) for name in columns})
    return DecisionTreeClassifier(random_state=0).fit(rows, [0, 0, 1, 1])


def write_model(number: str, path: Path = Path("model.pkl")) -> None:
    save_model(a_tree(), {"number": number}, path)


def write_broken_model(how: str, path: Path = Path("model.pkl")) -> None:
    if how == "half written":
        path.write_bytes(path.read_bytes()[:100])
    elif how == "without its facts":
        path.with_suffix(".json").unlink()
    elif how == "gone":
        path.unlink()
    elif how == "of other columns":
        save_model(a_tree(["moon_phase"]), {"number": "0.9"}, path)
    elif how == "of another scikit-learn":
        save_model(a_tree(), {"number": "0.9", "versions": {"scikit-learn": "0.1"}}, path)


BROKEN = ["half written", "without its facts", "gone", "of other columns", "of another scikit-learn"]


def a_model_selector(process: FakeScorer) -> ModelSelector:
    return ModelSelector(process, Path("model.pkl"), Path("model.in_use.pkl"), Disk())


def probability(scoring_desk: ModelSelector, settings: Settings, calls: int = 3) -> Decimal | None:
    for _ in range(calls):
        if (scoring := scoring_desk.scores(SYMBOLS, settings)) is not None:
            return scoring.scores[0].probability
    raise AssertionError("no scores")


def test_the_model_is_taken_up_and_scores(harness: TradingHarness, process: FakeScorer) -> None:
    write_model("0.8")
    assert probability(a_model_selector(process), harness.settings, calls=1) == Decimal("0.8")
    assert len(harness.captured_log.of("model.taken_up")) == 1


def test_the_same_model_is_taken_up_once(harness: TradingHarness, process: FakeScorer) -> None:
    write_model("0.8")
    scoring_desk = a_model_selector(process)
    for _ in range(3):
        probability(scoring_desk, harness.settings)
    assert len(harness.captured_log.of("model.taken_up")) == 1


def test_a_new_model_is_used_at_the_next_pass(harness: TradingHarness, process: FakeScorer) -> None:
    write_model("0.8")
    scoring_desk = a_model_selector(process)
    probability(scoring_desk, harness.settings)
    write_model("0.9")
    assert probability(scoring_desk, harness.settings) == Decimal("0.9")
    assert len(harness.captured_log.of("model.taken_up")) == 2


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_model_is_refused_in_one_line_and_the_old_one_stays_in_use(
    harness: TradingHarness, process: FakeScorer, how: str
) -> None:
    write_model("0.8")
    scoring_desk = a_model_selector(process)
    probability(scoring_desk, harness.settings)
    write_broken_model(how)
    for _ in range(3):
        assert probability(scoring_desk, harness.settings) == Decimal("0.8")
    assert process.begun.count(Path("model.pkl")) <= 2, "once it has failed, it is not loaded again"
    [line] = harness.captured_log.of("model.refused")
    assert "\n" not in line
    assert "the one before stays in use" in line


@pytest.mark.parametrize("how", BROKEN)
def test_the_old_model_stays_in_use_over_a_restart(harness: TradingHarness, process: FakeScorer, how: str) -> None:
    write_model("0.8")
    probability(a_model_selector(process), harness.settings)
    write_broken_model(how)
    restarted = a_model_selector(process)
    restarted.check()
    assert probability(restarted, harness.settings) == Decimal("0.8")
    assert len(harness.captured_log.of("model.refused")) == 1


@pytest.mark.parametrize("how", BROKEN)
def test_after_a_broken_one_a_good_model_is_taken_up_again(
    harness: TradingHarness, process: FakeScorer, how: str
) -> None:
    write_model("0.8")
    scoring_desk = a_model_selector(process)
    probability(scoring_desk, harness.settings)
    write_broken_model(how)
    probability(scoring_desk, harness.settings)
    write_model("0.9")
    assert probability(scoring_desk, harness.settings) == Decimal("0.9")
    write_model("0.8")  # and the former one, put back
    assert probability(scoring_desk, harness.settings) == Decimal("0.8")


def test_without_any_model_there_is_one_line_that_says_what_to_do(harness: TradingHarness, process: FakeScorer) -> None:
    with pytest.raises(InputError) as caught:
        a_model_selector(process).check()
    [line] = caught.value.faults
    assert "model.pkl: there is no such file" in line
    assert "python train_model.py" in line
    with pytest.raises(InputError):
        a_model_selector(process).scores(SYMBOLS, harness.settings)
    assert not process.begun


@pytest.mark.parametrize("how", ["half written", "without its facts"])
def test_a_broken_model_without_an_old_one_is_refused(harness: TradingHarness, process: FakeScorer, how: str) -> None:
    write_model("0.8")
    write_broken_model(how)
    with pytest.raises(InputError):
        a_model_selector(process).check()
    with pytest.raises(InputError):
        probability(a_model_selector(process), harness.settings)


def test_a_broken_copy_of_the_old_model_is_not_used(harness: TradingHarness, process: FakeScorer) -> None:
    write_model("0.8")
    probability(a_model_selector(process), harness.settings)
    write_broken_model("half written")
    write_broken_model("half written", Path("model.in_use.pkl"))
    with pytest.raises(InputError):
        a_model_selector(process).check()


def test_while_scores_are_made_no_second_scoring_is_begun(harness: TradingHarness, process: FakeScorer) -> None:
    write_model("0.8")
    process.takes = 3
    scoring_desk = a_model_selector(process)
    answers = [scoring_desk.scores(SYMBOLS, harness.settings) for _ in range(4)]
    assert [answer is None for answer in answers] == [True, True, True, False]
    assert len(process.begun) == 1
    assert not scoring_desk.busy


def test_trouble_with_the_source_is_no_trouble_with_the_model(harness: TradingHarness, process: FakeScorer) -> None:
    write_model("0.8")
    scoring_desk = a_model_selector(process)
    probability(scoring_desk, harness.settings)
    process.error = TemporaryError("LunarCrush is down")
    with pytest.raises(TemporaryError):
        scoring_desk.scores(SYMBOLS, harness.settings)
    assert not harness.captured_log.of("model.refused")
    assert process.begun == [Path("model.pkl")] * 2


def test_copies_of_the_model_are_for_their_owner_only(harness: TradingHarness, process: FakeScorer) -> None:
    write_model("0.8")
    probability(a_model_selector(process), harness.settings)
    assert {path.name: path.stat().st_mode & 0o777 for path in harness.folder.glob("model.in_use.*")} == {
        "model.in_use.pkl": 0o600,
        "model.in_use.json": 0o600,
    }


# ------------------------------------------------------------------ the process that scores


@pytest.fixture
def real_time(harness: TradingHarness) -> Iterator[Settings]:
    """Settings whose LunarCrush serves the recorded history as if it were of today: the child has the real time."""
    today = datetime.now(UTC).date()
    shift = (today - datetime(2021, 2, 15, tzinfo=UTC).date()).days
    with MarketServer(EmbeddedMarket(clock=time.time, shift_days=shift)) as server:
        section = harness.settings.lunarcrush.model_copy(update={"base_url": server.url, "requests_per_minute": 10_000})
        yield harness.settings.model_copy(update={"lunarcrush": section})


def wait_for(process: ChildScoringProcess, seconds: float = 30) -> Scoring:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if (scoring := process.result()) is not None:
            return scoring
        time.sleep(0.02)
    raise AssertionError("no answer")


def scoring_processes() -> list[psutil.Process]:
    """Return this process's scorers; a test run may have other children."""
    return [child for child in psutil.Process().children() if any("scoring_process" in word for word in command(child))]


def command(child: psutil.Process) -> list[str]:
    """Return a child's arguments; on a loaded machine the kernel knows none for a moment after it was started."""
    for _ in range(100):
        words: list[str] = child.cmdline()
        if words:
            return words
        time.sleep(0.05)
    raise AssertionError("no arguments")


@pytest.mark.slow
def test_the_life_of_the_scoring_process(real_time: Settings) -> None:
    write_model("0.8")
    process = ChildScoringProcess()
    assert not process.busy
    assert process.result() is None
    process.start(SYMBOLS, real_time, Path("model.pkl"))
    assert process.busy
    scoring = wait_for(process)
    assert [score.symbol for score in scoring.scores] == SYMBOLS
    assert all(score.probability in {Decimal("0.0"), Decimal("1.0")} for score in scoring.scores)
    assert not process.busy
    assert not scoring_processes()

    process.start(SYMBOLS, real_time, Path("no_model.pkl"))
    with pytest.raises(InputError, match="no_model"):
        wait_for(process)
    assert not process.busy


@pytest.mark.slow
def test_a_refused_key_is_told_without_loading_what_refuses_it(harness: TradingHarness) -> None:
    write_model("0.8")
    with MarketServer(EmbeddedMarket(clock=time.time, lunarcrush_key="another")) as server:
        section = harness.settings.lunarcrush.model_copy(update={"base_url": server.url})
        process = ChildScoringProcess()
        process.start(SYMBOLS, harness.settings.model_copy(update={"lunarcrush": section}), Path("model.pkl"))
        with pytest.raises(MarsShotError, match="refuses the key") as caught:
            wait_for(process)
    assert type(caught.value) is MarsShotError


def test_a_scoring_process_that_dies_without_an_answer_is_trouble_for_now(real_time: Settings) -> None:
    process = ChildScoringProcess()
    process.start(SYMBOLS, real_time, Path("model.pkl"))
    [child] = scoring_processes()
    child.kill()
    with pytest.raises(TemporaryError, match="ended without an answer"):
        wait_for(process)
    assert not process.busy


@pytest.mark.parametrize(
    "answer",
    [
        b"cmarsshot.core.catalog\nwhat_the_next_version_has\n.",
        b"cmarsshot.core.decisions\nWhy\n(Va reason of the next version\ntR.",
        b"cmarsshot.core.scores\nHitBand\n.",  # not what this version calls the scores
        b"garbage.",
    ],
)
def test_an_answer_of_another_version_of_the_program_is_trouble_for_now(real_time: Settings, answer: bytes) -> None:
    """After an update the running bot's loop is the old one, and its scoring process the new one."""
    process = ChildScoringProcess()
    process.start(SYMBOLS, real_time, Path("model.pkl"))
    [child] = scoring_processes()
    child.kill()
    child.wait()
    assert process._output is not None
    process._output.write(answer)
    with pytest.raises(TemporaryError, match="restart the bot"):
        wait_for(process)
    assert not process.busy


def test_a_scoring_that_is_given_up_leaves_no_process_behind(real_time: Settings) -> None:
    process = ChildScoringProcess()
    process.start(SYMBOLS, real_time, Path("model.pkl"))
    process.start(SYMBOLS, real_time, Path("model.pkl"))
    assert len(scoring_processes()) == 1
    process.stop()
    assert not process.busy
    assert process.result() is None
    assert not scoring_processes()


def test_a_machine_without_room_for_the_scoring_process_is_trouble_for_now(
    real_time: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full() -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", full)
    process = ChildScoringProcess()
    with pytest.raises(TemporaryError, match="No space left on device"):
        process.start(SYMBOLS, real_time, Path("model.pkl"))
    assert not process.busy
    assert process.result() is None
