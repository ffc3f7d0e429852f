"""The levers in the daily pass at the embedded exchange: what is bought, what the book keeps, what is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from decimal import ROUND_DOWN, Decimal
from pathlib import Path

import pytest

from marsshot.bot.daily_update.updater import Progress
from marsshot.commands.status import status_facts
from marsshot.commands.status_view import status_lines
from marsshot.core.book import WorthTop
from marsshot.core.catalog import Catalog
from marsshot.core.errors import TemporaryError
from marsshot.core.reasons import OrderReason
from tests.helpers.crash_injection import SimulatedCrash
from tests.helpers.trading_harness import NOON, StubScores, TradingHarness, open_trading_harness

D = Decimal
FALLING = (*(D(50_000) for _ in range(19)), D(40_000))


@pytest.fixture
def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TradingHarness]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.fsync", lambda descriptor: None)
    with open_trading_harness(tmp_path) as harness:
        yield harness


def scored(harness: TradingHarness, *, btc_closes: tuple[Decimal, ...] = (), **probabilities: str | None) -> StubScores:
    scores = StubScores(harness.clock, **probabilities)
    scores.btc_closes = btc_closes
    return scores


def spent(harness: TradingHarness) -> dict[str, Decimal]:
    return {order.symbol[:-4]: order.request.quote_quantity for order in harness.orders if order.request.quote_quantity}


def told_by_status(harness: TradingHarness) -> str:
    facts = status_facts(harness.book, harness.settings, "", harness.clock.now())
    return "\n".join(status_lines(facts | {"pause_reason": ""}, harness.clock.now(), Catalog("en")))


# --------------------------------------------------------------------------- max_share_per_token


def test_a_purchase_is_cut_to_its_share_of_cash_and_positions(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300")
    bot = harness.bot(scored(harness, ADA="0.5", DOT="0.9"), max_share_per_token=D("0.25"))
    assert bot.daily_update() is Progress.DONE
    (price,) = harness.exchange.prices(["ADAUSDT"]).values()
    most = ((1000 + 300 * price) * D("0.25")).quantize(D("0.00000001"), rounding=ROUND_DOWN)
    assert spent(harness) == {"DOT": most}
    assert harness.book.capital > 600, "what is cut stays cash"
    row = next(line for line in Path("decisions.csv").read_text().splitlines() if ",DOT," in line)
    assert ",buy," in row
    assert "cut by max_share_per_token" in row
    assert "Held back at that pass: DOT, 0.70 or more; cut by max_share_per_token" in told_by_status(harness)


def test_without_the_key_all_goes_into_one_token(harness: TradingHarness) -> None:
    harness.bot(scored(harness, DOT="0.9")).daily_update()
    assert spent(harness) == {"DOT": D(1000)}


def test_a_cut_amount_stays_as_planned_over_a_death(harness: TradingHarness) -> None:
    for steps in range(5, 100):
        harness.open()
        bot = harness.bot(scored(harness, DOT="0.9"), max_share_per_token=D("0.25"))
        harness.crash_injector.steps_left = steps
        with suppress(SimulatedCrash):
            bot.daily_update()
        harness.open()
        if harness.book.plan is not None and harness.book.plan.shared_out:
            break
    assert [buy.amount for buy in harness.plan.buys] == [D(250)]
    bot = harness.bot(scored(harness, DOT="0.9"), max_share_per_token=D(1))  # the key that came later changes nothing
    harness.settle()
    while bot.daily_update() is not Progress.DONE:
        harness.settle()
    assert spent(harness) == {"DOT": D(250)}


# --------------------------------------------------------------------------- btc_trend_days


def test_a_falling_market_is_not_bought_and_sales_go_on(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300")
    bot = harness.bot(scored(harness, ADA="0.1", DOT="0.9", btc_closes=FALLING), btc_trend_days=20)
    assert bot.daily_update() is Progress.DONE
    assert harness.traded() == ["SELL ADA"]
    assert any("BTC is under its mean" in line for line in harness.captured_log.of("daily.decision"))
    assert "last close 40,000, mean of 20 days 49,500" in told_by_status(harness)


def test_with_fewer_closes_than_asked_for_nothing_is_bought_and_that_is_told(harness: TradingHarness) -> None:
    harness.bot(scored(harness, DOT="0.9", btc_closes=FALLING[:19]), btc_trend_days=20).daily_update()
    assert harness.traded() == []
    (told,) = harness.captured_log.of("levers.btc_bars")
    assert "19 of 20 daily closes are there" in told


def test_a_rising_market_is_bought(harness: TradingHarness) -> None:
    bot = harness.bot(scored(harness, DOT="0.9", btc_closes=(*FALLING[::-1][1:], D(50_000))), btc_trend_days=20)
    bot.daily_update()
    assert harness.traded() == ["BUY DOT"]


# --------------------------------------------------------------------------- cooldown_days


def test_a_token_sold_by_its_stop_loss_waits_and_is_bought_again_after_that(harness: TradingHarness) -> None:
    harness.add_position("DOT", "100", "1000")  # far under its entry: the first check sells it
    bot = harness.bot(scored(harness, DOT="0.9"), cooldown_days=2)
    bot.intraday_check()
    assert harness.book.stop_losses == {"DOT": NOON.date()}
    for _ in range(3):
        assert harness.traded() == ["SELL DOT"]
        assert bot.daily_update() is Progress.DONE
        harness.clock.idle(bot.next_daily())
    bot.daily_update()
    assert harness.traded() == ["SELL DOT", "BUY DOT"]


# --------------------------------------------------------------------------- max_drawdown_pause


def test_a_deep_fall_pauses_buying_once_and_resume_begins_a_new_top(harness: TradingHarness) -> None:
    harness.store.save(replace(harness.book, worth_top=WorthTop(amount=D(1500))))
    bot = harness.bot(scored(harness, DOT="0.9"), max_drawdown_pause=D("0.3"))
    assert bot.daily_update() is Progress.DONE
    assert harness.traded() == []
    assert harness.book.worth_top == WorthTop(amount=D(1500), is_paused=True)
    (told,) = harness.captured_log.of("levers.drawdown")
    assert "1,000.00 USDT" in told
    assert "1,500.00" in told
    assert bot.control.paused()
    harness.clock.idle(bot.next_daily())
    assert bot.daily_update() is Progress.DONE
    assert len(harness.captured_log.of("levers.drawdown")) == 1, "told once"
    bot.control.resume()
    harness.clock.idle(bot.next_daily())
    assert bot.daily_update() is Progress.DONE
    assert harness.traded() == ["BUY DOT"]
    assert harness.book.worth_top == WorthTop(amount=D(1000))


def test_a_pause_that_cannot_be_written_keeps_no_sale_waiting_and_is_tried_again(
    harness: TradingHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness.add_position("DOT", "100", "1000")
    harness.store.save(replace(harness.book, worth_top=WorthTop(amount=D(50_000))))
    bot = harness.bot(scored(harness, ADA="0.9", DOT="0.1"), max_drawdown_pause=D("0.3"))

    def refuse(*_: object, **__: object) -> None:
        raise TemporaryError("no room")

    monkeypatch.setattr(bot.control, "pause", refuse)
    assert bot.daily_update() is Progress.DONE
    assert harness.traded() == ["SELL DOT"]
    monkeypatch.undo()
    harness.clock.idle(bot.next_daily())
    bot.daily_update()
    assert harness.traded() == ["SELL DOT"]
    assert bot.control.paused()


def test_a_smaller_fall_lets_buying_go_on(harness: TradingHarness) -> None:
    harness.store.save(replace(harness.book, worth_top=WorthTop(amount=D(1400))))
    harness.bot(scored(harness, DOT="0.9"), max_drawdown_pause=D("0.3")).daily_update()
    assert harness.traded() == ["BUY DOT"]
    assert "Top of worth at a daily pass: 1,400.00 USDT; buying pauses at 980.00" in told_by_status(harness)


def test_a_death_at_any_step_of_a_pass_that_pauses_buys_nothing(harness: TradingHarness) -> None:
    harness.store.save(replace(harness.book, worth_top=WorthTop(amount=D(1500))))
    for steps in range(1, 40):
        harness.open()
        bot = harness.bot(scored(harness, DOT="0.9"), max_drawdown_pause=D("0.3"))
        harness.crash_injector.steps_left = steps
        try:
            bot.daily_update()
        except SimulatedCrash:
            continue
        break
    assert bot.daily_is_done()
    assert harness.traded() == []
    assert harness.book.worth_top == WorthTop(amount=D(1500), is_paused=True)
    assert bot.control.paused()


def test_exits_go_on_while_a_fall_has_paused_buying(harness: TradingHarness) -> None:
    harness.add_position("DOT", "100", "1000")
    harness.store.save(replace(harness.book, worth_top=WorthTop(amount=D(5000))))
    bot = harness.bot(scored(harness, ADA="0.9"), max_drawdown_pause=D("0.3"))
    bot.daily_update()
    bot.intraday_check()
    assert harness.traded() == ["SELL DOT"]
    assert harness.orders[0].client_order_id.endswith("-sl")
    assert OrderReason.STOP_LOSS.initials == "sl"
