"""Safeguards of sections 2, 7 and 8 of the contract, each taken away once: what chaos.py must notice.

A sabotage patches the product's own code. `python -m tests.helpers.sabotages [--runs N]` tells after how many seeded
runs each is noticed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import pytest
from requests.adapters import HTTPAdapter

import positions_store
import risk_manager
from marsshot.bot import bootstrap, price_check, price_judge, reconciler
from marsshot.bot.bot import Bot
from marsshot.bot.control_files import ControlFiles
from marsshot.bot.daily_update import plan_executor, plan_maker
from marsshot.bot.daily_update.plan_executor import PlanExecutor
from marsshot.bot.daily_update.updater import DailyUpdater
from marsshot.bot.price_check import PriceCheck
from marsshot.bot.price_feed import PriceFeed
from marsshot.bot.price_judge import PriceJudge
from marsshot.bot.request_taker import RequestTaker
from marsshot.chaos.run import run_seed
from marsshot.commands.recovery import recovery_survey
from marsshot.config.exchanges import EXCHANGE_FACTS, ExchangeName
from marsshot.core.amounts import ZERO, floor_to_step
from marsshot.core.book import Book, Position, reaches_multiple
from marsshot.core.decisions import DailyPlan, StepOutcome
from marsshot.core.errors import InputError, MarsShotError, RefusedOrderError, TemporaryError, UnknownOutcomeError
from marsshot.core.orders import Fill, Intent, OrderId, OrderReport, PartFill, Side
from marsshot.core.reasons import OrderReason
from marsshot.core.requests import OwnerRequest, RequestOutcome
from marsshot.core.trading_rules import Account
from marsshot.exchange import order_tracker
from marsshot.exchange.base import AbsenceProof
from marsshot.exchange.binance import connection as binance_connection
from marsshot.exchange.binance import responses as binance_responses
from marsshot.exchange.binance.exchange import BinanceExchange
from marsshot.exchange.bitvavo import connection as bitvavo_connection
from marsshot.exchange.bitvavo import order_lists as bitvavo_order_lists
from marsshot.exchange.bitvavo import responses as bitvavo_responses
from marsshot.exchange.bitvavo.errors import Refusal, order_error
from marsshot.exchange.bitvavo.exchange import BitvavoExchange
from marsshot.exchange.order_tracker import OrderTracker
from marsshot.infra import atomic_files
from marsshot.market_data import price_aggregator
from marsshot.market_data.price_aggregator import PriceAggregator
from marsshot.portfolio import ledger, recovery, request_outcomes
from marsshot.portfolio.performance import with_cash_flow
from marsshot.strategy import daily_plan, second_look
from marsshot.strategy.second_look import Effect
from positions_store import Store
from trade_executor import TradeExecutor

Patch = pytest.MonkeyPatch
Sabotage = Callable[[Patch], None]
Send = Callable[[Any, Intent], OrderReport]
EXCHANGES = (BinanceExchange, BitvavoExchange)


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
    for exchange in EXCHANGES:
        patch.setattr(exchange, "absence_proof", AbsenceProof(after_sending_ms=0, between_looks_ms=0))


def believe_a_refusal_that_is_none(patch: Patch) -> None:
    def refused(*answer: object) -> MarsShotError:
        return RefusedOrderError(str(answer))

    for connection in (binance_connection, bitvavo_connection):
        patch.setattr(connection, "order_error", refused)


def send_again_what_was_not_answered(patch: Patch) -> None:
    def insistent(send: Send) -> Send:
        def twice(exchange: Any, intent: Intent) -> OrderReport:
            try:
                return send(exchange, intent)
            except UnknownOutcomeError:
                return send(exchange, intent)

        return twice

    for exchange in EXCHANGES:
        patch.setattr(exchange, "send_market_order", insistent(exchange.send_market_order))


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

    def free(exchange: BinanceExchange, intent: Intent, order_id: OrderId) -> tuple[PartFill, ...]:
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
        name = f"ms-{life.exchange.now_ms() // 600_000}-{len(life._store.book.positions)}-{reason.initials}"
        return name if isinstance(life.exchange, BinanceExchange) else str(uuid5(NAMESPACE_OID, name))

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
    buy_outcome = PlanExecutor._buy_outcome

    def anew(daily: PlanExecutor, buy: Any, prices: Mapping[str, Decimal], executor: TradeExecutor) -> StepOutcome:
        open_buys = sum(1 for step in daily._plan().buys if not step.outcome)
        share = (executor.book.capital / (open_buys + 1)).quantize(Decimal("0.01"))
        steps = tuple(replace(s, amount=share, left=share) if s == buy else s for s in daily._plan().buys)
        daily._store.save(replace(executor.book, plan=replace(daily._plan(), buys=steps)))
        return buy_outcome(daily, replace(buy, amount=share, left=share), prices, executor)

    patch.setattr(PlanExecutor, "_buy_outcome", anew)


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


def hurry_though_the_exchange_asked_for_silence(patch: Patch) -> None:
    for connection in (binance_connection.BinanceConnection, bitvavo_connection.BitvavoConnection):
        patch.setattr(connection, "_refuse_while_quiet", lambda _wire: None)


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


def spend_all_that_is_free(patch: Patch) -> None:
    allocate = PlanExecutor._allocate_capital

    def greedy(daily: PlanExecutor, prices: Any, settings: Any, executor: TradeExecutor, _expected: Any = ZERO) -> None:
        capital = daily._store.book.capital
        in_doubt = sum((one.quote_amount or ZERO for one in daily._store.book.intents.values()), ZERO)
        free = executor.exchange.account().free[daily._store.book.quote_asset]
        allocate(daily, prices, settings, executor, max(free - min(capital - in_doubt, free), ZERO))

    patch.setattr(PlanExecutor, "_allocate_capital", greedy)


def plan_by_the_book_alone(patch: Patch) -> None:
    def rich(account: Callable[[Any], Account]) -> Callable[[Any], Account]:
        def told(exchange: Any) -> Account:
            found, plenty = account(exchange), Decimal(10**9)
            return replace(found, free={**found.free, "USDT": plenty, "EUR": plenty})

        return told

    for exchange in EXCHANGES:
        patch.setattr(exchange, "account", rich(exchange.account))


def split_what_an_order_in_doubt_may_have_spent(patch: Patch) -> None:
    allocate = PlanExecutor._allocate_capital

    def hopeful(daily: PlanExecutor, prices: Any, settings: Any, executor: TradeExecutor, expected: Any = ZERO) -> None:
        in_doubt = sum((one.quote_amount or ZERO for one in daily._store.book.intents.values()), ZERO)
        allocate(daily, prices, settings, executor, expected + in_doubt)

    patch.setattr(PlanExecutor, "_allocate_capital", hopeful)


def make_a_pass_by_a_wrong_clock(patch: Patch) -> None:
    patch.setattr(plan_maker, "refuse_wrong_clock", lambda _now, _exchange_ms: None)


def buy_though_the_owner_has_paused(patch: Patch) -> None:
    patch.setattr(ControlFiles, "paused", lambda _files: "")


def give_the_first_token_everything(patch: Patch) -> None:
    split = daily_plan.allocate_capital

    def unequal(*facts: Any, **named: Any) -> DailyPlan:
        shared = split(*facts, **named)
        bought = [buy for buy in shared.buys if buy.amount]
        if len(bought) < 2:
            return shared
        more = {bought[0].symbol: Decimal(10), bought[1].symbol: Decimal(-10)}
        return replace(
            shared,
            buys=tuple(
                replace(buy, amount=buy.amount + more[buy.symbol], left=buy.amount + more[buy.symbol])
                if buy.amount and buy.symbol in more
                else buy
                for buy in shared.buys
            ),
        )

    patch.setattr(plan_executor, "allocate_capital", unequal)


def buy_what_is_held(patch: Patch) -> None:
    decide = daily_plan.decide_daily_plan

    def forgetful(day: Any, tokens: Any, positions: Any, *others: Any, **named: Any) -> DailyPlan:
        plan = decide(day, tokens, positions, *others, **named)
        again = decide(day, tokens, {}, *others, **named)
        return replace(plan, buys=again.buys)

    patch.setattr(plan_maker, "decide_daily_plan", forgetful)


def never_sell_by_the_score(patch: Patch) -> None:
    decide = daily_plan.decide_sell

    def loyal(symbol: str, position: Position, score: Any, price: Any, rules: Any) -> Any:
        return decide(symbol, position, score, price, replace(rules, sell_threshold=ZERO))

    patch.setattr(daily_plan, "decide_sell", loyal)


def skip_a_sale_again_and_again(patch: Patch) -> None:
    decide = daily_plan.decide_sell

    def patient(symbol: str, position: Position, score: Any, price: Any, rules: Any) -> Any:
        return decide(symbol, replace(position, did_skip_sell_once=False), score, price, rules)

    patch.setattr(daily_plan, "decide_sell", patient)


def leave_out_the_stop_loss(patch: Patch) -> None:
    rules = tuple(rule for rule in risk_manager.ALL_EXIT_RULES if rule is not risk_manager.stop_loss)
    patch.setattr(risk_manager, "ALL_EXIT_RULES", rules)


def sell_at_a_loss_of_a_third(patch: Patch) -> None:
    stop_loss = risk_manager.stop_loss

    def nervous(position: Position, price: Decimal, now: Any, rules: Any) -> Any:
        return stop_loss(position, price, now, replace(rules, stop_loss_fall=Decimal("0.33")))

    patched = tuple(nervous if rule is stop_loss else rule for rule in risk_manager.ALL_EXIT_RULES)
    patch.setattr(risk_manager, "ALL_EXIT_RULES", patched)


def forget_the_top(patch: Patch) -> None:
    patch.setattr(price_check, "positions_changed_by", lambda _prices, _positions, _rules: {})


def take_zero_for_a_price(patch: Patch) -> None:
    for responses in (binance_responses, bitvavo_responses):
        patch.setattr(responses, "is_usable_price", lambda price: price.is_finite() and price >= 0)


def give_up_the_day_when_nothing_was_scored(patch: Patch) -> None:
    postpone = DailyUpdater._postpone

    def final(daily: DailyUpdater, wait: Any, why: str, log: Any) -> Any:
        daily._store.change(lambda book: replace(book, last_daily_update=daily._clock.now().date()))
        return postpone(daily, wait, why, log)

    patch.setattr(DailyUpdater, "_postpone", final)


def go_by_every_first_look(patch: Patch) -> None:
    patch.setattr(price_judge, "judge", lambda _look, _last, _would_act: None)


def sell_whole_on_a_wick_where_the_true_price_is_a_new_top(patch: Patch) -> None:
    would_act = PriceCheck._would_act
    any_is_all = {effect: Effect.FULL_SALE if effect else Effect.NOTHING for effect in Effect}
    patch.setattr(PriceCheck, "_would_act", lambda check, held, price: any_is_all[would_act(check, held, price)])


def take_another_coin_for_the_one_that_was_bought(patch: Patch) -> None:
    patch.setattr(second_look, "_standstill", lambda _look, _last: None)


def write_lent_coins_off(patch: Patch) -> None:
    patch.setattr(binance_responses, "_lent", lambda _free: {})


def forget_the_owners_coins(patch: Patch) -> None:
    note = PriceJudge.note_balances
    patch.setattr(
        PriceJudge, "note_balances", lambda judge, positions, _balance_of: note(judge, positions, lambda _: ZERO)
    )


def take_an_exchanged_balance_for_the_owners(patch: Patch) -> None:
    note = PriceJudge.note_balances

    def hasty(judge: PriceJudge, positions: Mapping[str, Position], balance_of: Any) -> None:
        judge._believed.update(judge._last)
        note(judge, positions, balance_of)

    patch.setattr(PriceJudge, "note_balances", hasty)


def give_the_owners_new_coins_to_the_bot(patch: Patch) -> None:
    patch.setattr(reconciler, "quantity_after_standstill", lambda there, _counted, _owners: there)


def recover_what_the_book_knows_already(patch: Patch) -> None:
    patch.setattr(recovery_survey, "orders_unknown_to", lambda _book, orders, _since: list(orders))


def recover_purchases_alone(patch: Patch) -> None:
    unknown = recovery.orders_unknown_to

    def bought(book: Book, orders: Any, since: int) -> Any:
        return [one for one in unknown(book, orders, since) if one.side is Side.BUY]

    patch.setattr(recovery_survey, "orders_unknown_to", bought)


def leave_out_the_rows_that_a_lost_file_had(patch: Patch) -> None:
    rows_to_write = recovery_survey._rows_to_write
    patch.setattr(recovery_survey, "_rows_to_write", lambda book, _rows, written: rows_to_write(book, (), written))


def carry_out_a_request_again(patch: Patch) -> None:
    carry_out = RequestTaker._carry_out_one

    def forgetful(taker: RequestTaker, request: OwnerRequest, there: set[str]) -> bool:
        answers = {one: told for one, told in taker._store.book.answered_requests.items() if one != request.request_id}
        taker._store.change(lambda book: replace(book, answered_requests=answers))
        return carry_out(taker, request, there)

    patch.setattr(RequestTaker, "_carry_out_one", forgetful)


def take_a_request_away_before_the_book_has_it(patch: Patch) -> None:
    carry_out = RequestTaker._carry_out_one

    def hasty(taker: RequestTaker, request: OwnerRequest, there: set[str]) -> bool:
        with suppress(TemporaryError):
            taker._control.remove_request(request.request_id)
        return carry_out(taker, request, there)

    patch.setattr(RequestTaker, "_carry_out_one", hasty)


def take_a_deposit_that_is_not_there(patch: Patch) -> None:
    facts = Bot._money_facts
    patch.setattr(Bot, "_money_facts", lambda bot, kind: replace(facts(bot, kind), most_to_deposit=None))


def give_back_what_is_set_aside_for_purchases(patch: Patch) -> None:
    patch.setattr(request_outcomes, "free_capital", lambda book: book.capital)


def buy_what_the_owner_excludes(patch: Patch) -> None:
    patch.setattr(request_outcomes, "_with_exclusions", lambda book, _excluded: (book, RequestOutcome.DONE))


def move_money_without_a_row(patch: Patch) -> None:
    def silent(book: Book, amount: Decimal, worth: Decimal, now: Any) -> Book:
        return replace(with_cash_flow(book, amount, worth, now), unwritten_cash_flows=book.unwritten_cash_flows)

    patch.setattr(request_outcomes, "with_cash_flow", silent)


def book_what_is_not_settled_yet(patch: Patch) -> None:
    def hasty(row: Mapping[str, Any]) -> PartFill:
        price, quantity = Decimal(row["price"]), Decimal(row["amount"])
        fee = Decimal(row.get("fee", "0"))
        return PartFill(
            price=price, quantity=quantity, quote=price * quantity, commission=fee, commission_asset=row["feeCurrency"]
        )

    patch.setattr(bitvavo_responses, "_part_fill", hasty)


def compute_the_fee_of_a_fill(patch: Patch) -> None:
    read = bitvavo_responses._part_fill

    def computed(row: Mapping[str, Any]) -> PartFill:
        part = read(row)
        return replace(part, commission=part.quote * Decimal("0.0025"))

    patch.setattr(bitvavo_responses, "_part_fill", computed)


def take_an_error_109_for_a_refusal(patch: Patch) -> None:
    known = order_error

    def hopeful(refusal: Refusal) -> MarsShotError:
        return RefusedOrderError(refusal.text) if refusal.code in {101, 108, 109} else known(refusal)

    patch.setattr(bitvavo_connection, "order_error", hopeful)


def look_into_the_lists_once(patch: Patch) -> None:
    hasty = AbsenceProof(after_sending_ms=2_000, between_looks_ms=1_000)
    patch.setattr(BitvavoExchange, "absence_proof", hasty)


def look_again_at_nothing(patch: Patch) -> None:
    patch.setattr(PriceJudge, "doubted", lambda _judge, _held: ())
    patch.setattr(second_look, "SECOND_LOOK_AFTER", timedelta(days=30))
    patch.setattr(price_judge, "SECOND_LOOK_AFTER", timedelta(days=30))


def give_up_a_sale_whose_market_is_closed(patch: Patch) -> None:
    patch.setattr(PlanExecutor, "_may_sale_wait", lambda _executor: False)


def let_an_answer_trickle_for_ever(patch: Patch) -> None:
    for connection in (binance_connection, bitvavo_connection):
        patch.setattr(connection, "BoundedAdapter", HTTPAdapter)


def forget_an_order_that_was_proven_absent(patch: Patch) -> None:
    patch.setattr(OrderTracker, "watch_absent", lambda _life, at_once=False: None)


def take_the_owners_orders_for_the_bots(patch: Patch) -> None:
    def any_uuid(row: Mapping[str, Any], _operator_id: int) -> bool:
        return isinstance(row.get("clientOrderId"), str)

    for module in (bitvavo_responses, bitvavo_order_lists):
        patch.setattr(module, "is_sent_by", any_uuid)


SABOTAGES: list[Sabotage] = [
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
    hurry_though_the_exchange_asked_for_silence,
    let_the_trailing_stop_go_to_sleep_under_its_start,
    take_a_late_price_for_one_of_this_round,
    let_a_slow_price_hold_up_the_others,
    wait_for_a_price_that_never_comes,
    make_the_pass_again_whenever_asked,
    spend_all_that_is_free,
    plan_by_the_book_alone,
    buy_though_the_owner_has_paused,
    give_the_first_token_everything,
    buy_what_is_held,
    never_sell_by_the_score,
    leave_out_the_stop_loss,
    sell_at_a_loss_of_a_third,
    give_up_the_day_when_nothing_was_scored,
    go_by_every_first_look,
    look_again_at_nothing,
    take_another_coin_for_the_one_that_was_bought,
    recover_what_the_book_knows_already,
    recover_purchases_alone,
    leave_out_the_rows_that_a_lost_file_had,
    carry_out_a_request_again,
    take_a_request_away_before_the_book_has_it,
    take_a_deposit_that_is_not_there,
    buy_what_the_owner_excludes,
    move_money_without_a_row,
    let_an_answer_trickle_for_ever,
    believe_any_price,
    take_an_exchanged_balance_for_the_owners,
    make_a_pass_by_a_wrong_clock,
    write_lent_coins_off,
    sell_whole_on_a_wick_where_the_true_price_is_a_new_top,
]

# A handful of different kinds, each found by one of the first seeds: the quick tests take these.
FOUND_AT_ONCE: list[Sabotage] = [
    send_before_the_intent_is_on_disk,
    take_an_unknown_outcome_for_a_refusal,
    book_a_fill_in_two_steps,
    never_sync_a_file,
    keep_the_plan_in_memory,
    trade_while_an_order_of_the_token_is_in_doubt,
]

# Not noticed within 120 runs, or not measured: `main` below tells; the tests leave them out.
RARELY_NOTICED: list[Sabotage] = [
    take_zero_for_a_price,
    forget_the_owners_coins,
    give_the_owners_new_coins_to_the_bot,
    split_what_an_order_in_doubt_may_have_spent,
    give_back_what_is_set_aside_for_purchases,
    skip_a_sale_again_and_again,
    forget_the_top,
]


# What Binance's answers cannot show, or have not within 270 runs; and what Bitvavo's cannot: fees come with the order.
AT_BITVAVO_ALONE: list[Sabotage] = [
    book_what_is_not_settled_yet,
    compute_the_fee_of_a_fill,
    take_an_error_109_for_a_refusal,
    take_the_owners_orders_for_the_bots,
    forget_an_order_that_was_proven_absent,
    look_into_the_lists_once,
    give_up_a_sale_whose_market_is_closed,
]
AT_BINANCE_ALONE: list[Sabotage] = [
    forget_the_fee_after_a_lost_answer,
    believe_trades_that_do_not_add_up,
    write_lent_coins_off,
]


def noticed_at(exchange: ExchangeName) -> list[Sabotage]:
    """Return the safeguards that this exchange can miss, and misses soon."""
    if exchange == "binance":
        return SABOTAGES
    return [*(one for one in SABOTAGES if one not in AT_BINANCE_ALONE), *AT_BITVAVO_ALONE]


def main(arguments: Sequence[str] | None = None) -> None:
    """Tell after how many runs each sabotage is noticed, and by what."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--exchange", choices=sorted(EXCHANGE_FACTS), default="binance")
    parser.add_argument("--only", default="", help="of those whose names hold this text")
    chosen = parser.parse_args(arguments)
    wanted = [
        sabotage for sabotage in (*noticed_at(chosen.exchange), *RARELY_NOTICED) if chosen.only in sabotage.__name__
    ]
    found = [sabotage for sabotage in wanted if _is_noticed(sabotage, chosen.exchange, chosen.runs)]
    sys.stdout.write(f"{len(found)} of {len(wanted)} noticed within {chosen.runs} runs\n")


def _is_noticed(sabotage: Sabotage, exchange: ExchangeName, runs: int) -> bool:
    with Patch.context() as patch:
        sabotage(patch)
        for seed in range(runs):
            violations = run_seed(seed, exchange=exchange).violations
            if not violations.is_clean:
                sys.stdout.write(f"{sabotage.__name__}: seed {seed}: {violations.lines()[0]}\n")
                return True
    sys.stdout.write(f"{sabotage.__name__}: not noticed\n")
    return False


if __name__ == "__main__":
    main()
