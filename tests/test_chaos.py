"""The proof by disasters: nothing is lost or doubled; and it can fail: each safeguard taken away is missed at once.

A mutation takes one safeguard out of the product's own code; some seed among the first hundreds must then end badly.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import chaos
import positions_store
import risk_manager
from marsshot.bot import bootstrap
from marsshot.bot.bot import Bot
from marsshot.bot.daily_update import DailyUpdater
from marsshot.bot.price_feed import PriceFeed
from marsshot.chaos.run import run_seed
from marsshot.core.decisions import StepOutcome
from marsshot.core.domain import (
    ZERO,
    Book,
    Fill,
    Intent,
    OrderReport,
    PartFill,
    Position,
    Side,
    floor_to_step,
    reaches_multiple,
)
from marsshot.core.errors import InputError, MarsShotError, RefusedOrderError, UnknownOutcomeError
from marsshot.core.reasons import OrderReason
from marsshot.exchange import order_tracker
from marsshot.exchange.binance import connection
from marsshot.exchange.binance.exchange import BinanceExchange
from marsshot.exchange.order_tracker import OrderTracker
from marsshot.infra import atomic_files
from marsshot.market_data import price_aggregator
from marsshot.market_data.price_aggregator import PriceAggregator
from marsshot.portfolio import ledger
from positions_store import Store
from tests.helpers.builders import ROOT
from trade_executor import TradeExecutor

ENOUGH = 400  # seeds after which a mutation must have been found


# --------------------------------------------------------------------------- the real thing


@pytest.mark.parametrize("first", range(0, 60, 10))
def test_nothing_is_lost_or_doubled(first: int) -> None:
    for seed in range(first, first + 10):
        result = run_seed(seed)
        assert result.violations.lines() == [], f"python chaos.py --only {seed}"


def test_a_seed_is_a_run_that_can_be_had_again() -> None:
    one, other = run_seed(7, verbose=True), run_seed(7, verbose=True)
    assert one.timeline == other.timeline
    assert any(line.startswith("bot, ") for line in one.timeline)
    assert any(line.startswith("death") for line in one.timeline)


def test_the_runs_see_every_kind_of_trouble() -> None:
    tally = chaos.Tally()
    for seed in range(60, 80):
        tally.add(run_seed(seed))
    kinds = "kill, power cut, wire fault, order fault, price fault, score fault, disk fault, clock jump, signal, owner"
    kinds += ", late price"
    assert set(kinds.split(", ")) <= tally.event_counts.keys()
    assert tally.orders > 5 * tally.runs
    assert tally.process_starts > 3 * tally.runs


def _chaos(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "chaos.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)


def test_the_command_counts_and_says_so() -> None:
    done = _chaos("--runs", "12", "--seed", "500", "--jobs", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("12 runs, ")
    assert "losses 0, doubles 0, other breaches 0; " in done.stdout


def test_one_seed_is_told_as_a_story() -> None:
    done = _chaos("--only", "3")
    assert done.returncode == 0
    assert "bot, INFO: A new book is begun" in done.stdout
    assert done.stdout.endswith("nothing lost, nothing doubled, no rule broken\n")


@pytest.mark.parametrize("arguments", [["--runs", "0"], ["--jobs", "-1"], ["--only", "x"], ["--runs", "many"]])
def test_wrong_usage_is_told_in_a_line(arguments: list[str]) -> None:
    done = _chaos(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


# --------------------------------------------------------------------------- one safeguard less

Patch = pytest.MonkeyPatch


def send_before_the_intent_is_on_disk(patch: Patch) -> None:
    def send(life: OrderTracker, intent: Intent) -> Fill:
        try:
            report = life.exchange.send_market_order(intent)
        finally:
            life._store.save(ledger.with_intent(life._store.book, intent))
        return life._book_outcome(intent, report)

    patch.setattr(OrderTracker, "_send", send)


def take_an_unknown_outcome_for_a_refusal(patch: Patch) -> None:
    send = OrderTracker._send

    def forgetful(life: OrderTracker, intent: Intent) -> Fill:
        try:
            return send(life, intent)
        except UnknownOutcomeError:
            life._store.save(ledger.without_intent(life._store.book, intent))
            raise

    patch.setattr(OrderTracker, "_send", forgetful)


def believe_the_first_no_such_order(patch: Patch) -> None:
    patch.setattr(order_tracker, "LOST_AFTER_MS", 0)
    patch.setattr(order_tracker, "RECHECK_AFTER_MS", 0)


def believe_a_refusal_that_is_none(patch: Patch) -> None:
    def refused(status: int, code: int, text: str, _retry_after: float | None = None) -> MarsShotError:
        return RefusedOrderError(f"{status} {code} {text}")

    patch.setattr(connection, "order_error", refused)


def send_again_what_was_not_answered(patch: Patch) -> None:
    send = BinanceExchange.send_market_order

    def insistent(exchange: BinanceExchange, intent: Intent) -> OrderReport:
        try:
            return send(exchange, intent)
        except UnknownOutcomeError:
            return send(exchange, intent)

    patch.setattr(BinanceExchange, "send_market_order", insistent)


def book_a_fill_in_two_steps(patch: Patch) -> None:
    def in_two_steps(life: OrderTracker, intent: Intent, report: OrderReport) -> Fill:
        if not report.is_final:
            raise UnknownOutcomeError("not final")
        if report.executed_base == 0:
            life._store.save(ledger.without_intent(life._store.book, intent))
            raise RefusedOrderError("nothing executed")
        fill = order_tracker._fill_of(report, life._all_parts(intent, report))
        booked = ledger.with_fill(life._store.book, intent, fill)
        life._store.save(replace(booked, intents=life._store.book.intents))
        life._store.save(booked)
        return fill

    patch.setattr(OrderTracker, "_book_outcome", in_two_steps)


def never_look_up(patch: Patch) -> None:
    patch.setattr(OrderTracker, "resolve_unknown", lambda _life: None)


def forget_the_fee_after_a_lost_answer(patch: Patch) -> None:
    fetch_part_fills = BinanceExchange.fetch_part_fills

    def free(exchange: BinanceExchange, intent: Intent, order_id: int) -> tuple[PartFill, ...]:
        return tuple(replace(part, commission=ZERO) for part in fetch_part_fills(exchange, intent, order_id))

    patch.setattr(BinanceExchange, "fetch_part_fills", free)


def count_what_was_bought_with_its_fee(patch: Patch) -> None:
    patch.setattr(Fill, "fee_in", lambda _fill, _asset: ZERO)


def believe_trades_that_do_not_add_up(patch: Patch) -> None:
    def unproved(life: OrderTracker, intent: Intent, report: OrderReport) -> tuple[PartFill, ...]:
        return report.parts if report.parts is not None else life.exchange.fetch_part_fills(intent, report.order_id)

    patch.setattr(OrderTracker, "_all_parts", unproved)


def take_an_expired_order_for_nothing(patch: Patch) -> None:
    settle = OrderTracker._book_outcome

    def by_status(life: OrderTracker, intent: Intent, report: OrderReport) -> Fill:
        return settle(life, intent, report if report.status == "FILLED" else replace(report, executed_base=ZERO))

    patch.setattr(OrderTracker, "_book_outcome", by_status)


def number_orders_anew_after_a_restart(patch: Patch) -> None:
    def reused(life: OrderTracker, reason: OrderReason) -> str:
        return f"ms-{life.exchange.now_ms() // 600_000}-{len(life._store.book.positions)}-{reason.initials}"

    patch.setattr(OrderTracker, "_new_id", reused)


def write_the_book_in_place(patch: Patch) -> None:
    def in_place(where: atomic_files.Disk, path: Path, content: bytes, *, keep_backup: bool = False) -> None:
        where.write(path, content)

    patch.setattr(positions_store, "replace_atomically", in_place)


def never_sync_a_file(patch: Patch) -> None:
    def unsynced(where: atomic_files.Disk, path: Path, content: bytes) -> None:
        descriptor = where._system.open(path, atomic_files._NEW)
        where._write_all(descriptor, content)
        where._system.close(descriptor)

    patch.setattr(atomic_files.Disk, "write", unsynced)


def never_sync_the_folder(patch: Patch) -> None:
    patch.setattr(atomic_files.Disk, "_sync_folder", lambda _disk, _folder: None)


def begin_an_empty_book_when_the_old_one_is_broken(patch: Patch) -> None:
    write_the_book_in_place(patch)
    load = positions_store.load_state

    def hopeful(path: Path, mode: str, where: atomic_files.Disk) -> Book | None:
        try:
            return load(path, mode, where)
        except InputError:
            return None

    patch.setattr(bootstrap, "load_state", hopeful)


def forget_trades_that_are_not_in_the_file_yet(patch: Patch) -> None:
    save = Store.save

    def hasty(store: Store, book: Book) -> None:
        save(store, replace(book, unwritten_trades=()))
        if book.unwritten_trades:
            store._book = book
            store.write_trades()

    patch.setattr(Store, "save", hasty)


def write_trades_without_looking(patch: Patch) -> None:
    def blind(path: Path, where: atomic_files.Disk, _unfinished: set[str]) -> set[str]:
        return {positions_store._HEADER_MARK} if where.exists(path) else set()

    patch.setattr(positions_store, "_mend_and_read_ids", blind)


def keep_the_plan_in_memory(patch: Patch) -> None:
    save = Store.save

    def without_plan(store: Store, book: Book) -> None:
        save(store, replace(book, plan=None))
        store._book = replace(store._book, plan=book.plan)

    patch.setattr(Store, "save", without_plan)


def split_the_capital_anew_after_each_order(patch: Patch) -> None:
    buy_outcome = DailyUpdater._buy_outcome

    def anew(daily: DailyUpdater, buy: Any, prices: Mapping[str, Decimal], executor: TradeExecutor) -> StepOutcome:
        open_buys = sum(1 for step in daily._plan().buys if not step.outcome)
        share = (executor.book.capital / (open_buys + 1)).quantize(Decimal("0.01"))
        steps = tuple(replace(s, amount=share, left=share) if s == buy else s for s in daily._plan().buys)
        daily._store.save(replace(executor.book, plan=replace(daily._plan(), buys=steps)))
        return buy_outcome(daily, replace(buy, amount=share, left=share), prices, executor)

    patch.setattr(DailyUpdater, "_buy_outcome", anew)


def set_the_flag_when_the_sale_is_tried(patch: Patch) -> None:
    sell = TradeExecutor.sell

    def hasty(executor: TradeExecutor, symbol: str, quantity: Decimal, reason: Any, price: Decimal) -> StepOutcome:
        if reason == "partial_take_profit":
            held = executor.book.positions[symbol]
            executor._store.save(ledger.with_position(executor.book, symbol, replace(held, partial_sold=True)))
        return sell(executor, symbol, quantity, reason, price)

    patch.setattr(TradeExecutor, "sell", hasty)


def forget_that_a_part_was_sold(patch: Patch) -> None:
    after = ledger._after_partial_sale

    def forgetful(held: Position, intent: Intent, fill: Fill) -> Position:
        return replace(after(held, intent, fill), partial_sold=False)

    patch.setattr(ledger, "_after_partial_sale", forgetful)


def drop_a_position_whose_sale_failed(patch: Patch) -> None:
    leave = TradeExecutor.exit

    def careless(executor: TradeExecutor, symbol: str, decision: Any, price: Decimal) -> bool:
        done = leave(executor, symbol, decision, price)
        if not done and decision.is_full and symbol in executor.book.positions:
            executor._store.save(ledger.with_position(executor.book, symbol, None))
        return done

    patch.setattr(TradeExecutor, "exit", careless)


def sell_all_that_the_account_has(patch: Patch) -> None:
    place = OrderTracker.place

    def greedy(life: OrderTracker, symbol: str, side: Side, reason: Any, rules: Any, **amount: Decimal) -> Fill:
        if side is Side.SELL and reason != "partial_take_profit":
            free = life.exchange.account().free.get(rules.base_asset, ZERO)
            amount = {"quantity": floor_to_step(free, rules.lot_step)}
        return place(life, symbol, side, reason, rules, **amount)

    patch.setattr(OrderTracker, "place", greedy)


def trade_while_an_order_of_the_token_is_in_doubt(patch: Patch) -> None:
    patch.setattr(Book, "has_pending_order", lambda _book, _symbol: False)


def hurry_though_binance_asked_for_silence(patch: Patch) -> None:
    patch.setattr(connection.BinanceConnection, "_refuse_while_quiet", lambda _wire: None)


def let_the_trailing_stop_go_to_sleep_under_its_start(patch: Patch) -> None:
    is_hit = risk_manager.is_trailing_stop_hit

    def dozing(position: Position, price: Decimal, rules: Any) -> bool:
        return is_hit(position, price, rules) and reaches_multiple(position, price, rules.trailing_start_multiple)

    patch.setattr(risk_manager, "is_trailing_stop_hit", dozing)


def believe_any_price(patch: Patch) -> None:
    def gullible(coinbase: Any, binance: Any, max_divergence: Decimal) -> Any:
        return quote_of(coinbase, binance, max_divergence=Decimal(10) ** 20)

    quote_of: Callable[..., Any] = price_aggregator.choose_price
    patch.setattr(price_aggregator, "choose_price", gullible)


def take_a_late_price_for_one_of_this_round(patch: Patch) -> None:
    begin, inboxes = PriceAggregator.__init__, dict[object, Any]()

    def with_one_inbox(
        look: PriceAggregator, symbols: Any, settings: Any, coinbase: Any, exchange: Any, inbox: Any
    ) -> None:
        begin(look, symbols, settings, coinbase, exchange, inboxes.setdefault(exchange, inbox))

    patch.setattr(PriceAggregator, "__init__", with_one_inbox)


def let_a_slow_price_hold_up_the_others(patch: Patch) -> None:
    begin = PriceFeed.__init__

    def together(desk: PriceFeed, store: Store, clock: Any, *, all_at_once: bool = False, **how: Any) -> None:
        begin(desk, store, clock, all_at_once=True, **how)

    patch.setattr(PriceFeed, "__init__", together)


def wait_for_a_price_that_never_comes(patch: Patch) -> None:
    patch.setattr(price_aggregator, "HARD_TIMEOUT_SECONDS", float("inf"))


def make_the_pass_again_whenever_asked(patch: Patch) -> None:
    is_done = Bot.daily_is_done

    def obliging(bot: Bot) -> bool:
        return is_done(bot) and not bot.control.is_daily_update_requested()

    patch.setattr(Bot, "daily_is_done", obliging)


def stumble_in_every_cycle(patch: Patch) -> None:
    def stumbling(_bot: Bot) -> None:
        raise NameError("name 'warn' is not defined")

    patch.setattr(Bot, "_resave_if_uncertain", stumbling)


MUTATIONS = [
    stumble_in_every_cycle,
    send_before_the_intent_is_on_disk,
    take_an_unknown_outcome_for_a_refusal,
    believe_the_first_no_such_order,
    believe_a_refusal_that_is_none,
    send_again_what_was_not_answered,
    book_a_fill_in_two_steps,
    never_look_up,
    forget_the_fee_after_a_lost_answer,
    count_what_was_bought_with_its_fee,
    believe_trades_that_do_not_add_up,
    take_an_expired_order_for_nothing,
    number_orders_anew_after_a_restart,
    write_the_book_in_place,
    never_sync_a_file,
    never_sync_the_folder,
    begin_an_empty_book_when_the_old_one_is_broken,
    forget_trades_that_are_not_in_the_file_yet,
    write_trades_without_looking,
    keep_the_plan_in_memory,
    split_the_capital_anew_after_each_order,
    set_the_flag_when_the_sale_is_tried,
    forget_that_a_part_was_sold,
    drop_a_position_whose_sale_failed,
    sell_all_that_the_account_has,
    trade_while_an_order_of_the_token_is_in_doubt,
    hurry_though_binance_asked_for_silence,
    let_the_trailing_stop_go_to_sleep_under_its_start,
    believe_any_price,
    take_a_late_price_for_one_of_this_round,
    let_a_slow_price_hold_up_the_others,
    wait_for_a_price_that_never_comes,
    make_the_pass_again_whenever_asked,
]


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.__name__)
def test_a_missing_safeguard_is_found(mutation: Callable[[Patch], None], monkeypatch: Patch) -> None:
    mutation(monkeypatch)
    assert any(not run_seed(seed).violations.is_clean for seed in range(ENOUGH))
