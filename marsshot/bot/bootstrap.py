"""Puts the parts together for one run: from settings and environment to a Bot that holds its book's lock.

Reloads a changed config.yaml when asked to. Holds no rule.
"""

from __future__ import annotations

import secrets as randomness
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from marsshot.bot.bot import Bot
from marsshot.bot.control_files import ControlFiles
from marsshot.bot.journal import Journal
from marsshot.bot.model_selector import ModelSelector
from marsshot.bot.scoring_process import ChildScoringProcess, InlineScoringProcess, ScoringProcess
from marsshot.config.bot_files import BOOK, CASH_FLOWS, FALLBACK_MODEL, MODEL, PUBLIC_CONFIG, RESERVE, TRADES
from marsshot.config.changes import SettingChange, setting_changes, settings_in_force
from marsshot.config.data_sources import SOURCE_FACTS
from marsshot.config.loader import read_settings
from marsshot.config.public_copy import write_public_copy
from marsshot.config.sections import MAX_OPERATOR_ID
from marsshot.config.settings import Settings
from marsshot.core.book import Book
from marsshot.core.catalog import Catalog, LocalizedText
from marsshot.core.errors import InputError
from marsshot.exchange.base import Exchange
from marsshot.exchange.paper import PaperExchange
from marsshot.infra.atomic_files import Disk, SystemCallsWithoutSync
from marsshot.infra.background import WorkerPool
from marsshot.infra.clock import Clock
from marsshot.infra.console import PlainTerminal, Terminal
from marsshot.infra.disk_reserve import DiskReserve
from marsshot.infra.event_log import Secrets, log_error, log_info, log_warning, start_log, stop_log
from marsshot.infra.fingerprints import file_fingerprint
from marsshot.market_data.coinbase import MAX_CONNECTIONS, Coinbase
from marsshot.model.integrity import own_or_live_file
from marsshot.portfolio.ledger import new_book
from marsshot.portfolio.serialization import refuse_dates_to_come
from positions_store import Store, check_folder, load_state, writer_lock

if TYPE_CHECKING:
    from marsshot.exchange.binance.exchange import BinanceExchange
    from marsshot.exchange.bitvavo.exchange import BitvavoExchange


@dataclass(frozen=True, slots=True)
class RunningBot:
    """One run of the bot, as long as its block lasts."""

    bot: Bot
    model_selector: ModelSelector
    reload_settings: Callable[[], None]  # reload a changed config.yaml
    journal: Journal


def model_path(settings: Settings) -> Path:
    """Return the model of this mode; paper mode goes with the live one where it has none of its own."""
    return own_or_live_file(settings, MODEL)


def disk_for(mode: str) -> Disk:
    """Return the disk of the bot's files. A demo begins anew each time: no power cut takes what is of worth."""
    return Disk(SystemCallsWithoutSync()) if mode == "demo" else Disk()


def console_catalog(settings: Settings, console: Terminal | None, *, one_shot: bool) -> Catalog | None:
    """Return the language of the console's lines: the owner's where he looks on; a service's are bot.log's."""
    is_service = not one_shot and isinstance(console, PlainTerminal)
    return None if console is None or is_service else Catalog(settings.language)


@contextmanager
def open_bot(
    settings: Settings,
    clock: Clock,
    *,
    console: Terminal | None,
    config: Path,
    apply_overrides: Callable[[Settings], Settings],
    one_shot: bool,
) -> Iterator[RunningBot]:
    """Yield the bot of these settings, its book loaded and locked. Raises InputError or OperatorNeededError.

    apply_overrides: what the environment makes of settings read anew. one_shot: score in this process, there is nothing
    to keep going meanwhile.
    """
    disk = disk_for(settings.mode)
    book_path = settings.file(BOOK)
    check_folder(book_path)
    with writer_lock(book_path):
        catalog = console_catalog(settings, console, one_shot=one_shot)
        secrets = start_log(settings.file(settings.logging.file), clock.now, settings.secrets, console, catalog)
        try:
            _show_settings(settings)
            store = open_store(settings, clock, book_path, disk)
            model_selector = new_model_selector(settings, clock, disk, one_shot=one_shot)
            coinbase, journal = _coinbase(settings), Journal(settings, disk)
            bot = new_bot(settings, clock, store, coinbase, model_selector, ControlFiles(settings, disk), journal)
            reloader = _SettingsReloader(config, bot, apply_overrides, secrets)
            try:
                yield RunningBot(bot, model_selector, reloader.reload_settings, journal)
            finally:
                journal.flush(store.book, clock.now())
                model_selector.stop()
                coinbase.close()
        finally:
            stop_log()


def new_bot(
    settings: Settings,
    clock: Clock,
    store: Store,
    coinbase: Coinbase,
    model_selector: ModelSelector,
    control: ControlFiles,
    journal: Journal | None = None,
) -> Bot:
    """Return the bot of these settings, which trades where they say."""
    bot = Bot(
        settings=settings,
        clock=clock,
        store=store,
        exchange=trading_exchange(settings, clock, lambda: store.book),
        coinbase=coinbase,
        scores=model_selector.scores,
        control=control,
        journal=journal,
    )
    bot.daily_updater.plan_maker.rate_to = coinbase.rate_to
    return bot


def new_model_selector(settings: Settings, clock: Clock, disk: Disk, *, one_shot: bool) -> ModelSelector:
    """Return what scores. one_shot: in this process, there is nothing to keep going meanwhile."""
    scoring_process: ScoringProcess = (
        InlineScoringProcess(clock) if one_shot or settings.mode == "demo" else ChildScoringProcess()
    )
    return ModelSelector(
        scoring_process,
        model_path(settings),
        settings.file(FALLBACK_MODEL),
        disk,
        settings.data_source,
        settings.strategy.score_scale,
    )


def _show_settings(settings: Settings) -> None:
    """Write the settings that the bot goes by for the dashboard's user, who may not read config.yaml."""
    try:
        write_public_copy(settings, Disk())
    except OSError as error:
        log_warning("settings.not_shown", LocalizedText("log.not_written", path=PUBLIC_CONFIG, why=error.strerror))


def required_keys(settings: Settings) -> tuple[str, ...]:
    """Return the keys that trading in this mode needs."""
    if settings.mode == "demo":
        return ()
    bars = SOURCE_FACTS[settings.data_source].keys
    return bars if settings.mode == "paper" else (*bars, *settings.exchange_facts.keys)


def _coinbase(settings: Settings) -> Coinbase:
    # The demo's Coinbase is on this machine and answers at once: more threads would only fight for the processor.
    connections = 2 if settings.mode == "demo" else MAX_CONNECTIONS
    return Coinbase(settings.coinbase.base_url, connections, settings.exchange_facts.currency)


def binance_of(settings: Settings, clock: Clock, worker_pool: WorkerPool | None = None) -> BinanceExchange:
    """Return Binance as these settings name it; paper mode never shows it a key."""
    from marsshot.exchange.binance.exchange import BinanceExchange  # noqa: PLC0415 - memory: where it is traded at

    keys, paper = settings.binance_api, settings.mode == "paper"
    return BinanceExchange(
        api_key="" if paper else keys.api_key.get_secret_value(),
        api_secret="" if paper else keys.api_secret.get_secret_value(),
        base_url=keys.base_url,
        clock=clock,
        worker_pool=worker_pool,
    )


def bitvavo_of(
    settings: Settings, clock: Clock, operator_id: Callable[[], int], worker_pool: WorkerPool | None = None
) -> BitvavoExchange:
    """Return Bitvavo as these settings name it; paper mode never shows it a key."""
    from marsshot.exchange.bitvavo.exchange import BitvavoExchange  # noqa: PLC0415 - memory: where it is traded at

    keys, paper = settings.bitvavo, settings.mode == "paper"
    return BitvavoExchange(
        api_key="" if paper else keys.api_key.get_secret_value(),
        api_secret="" if paper else keys.api_secret.get_secret_value(),
        base_url=keys.base_url,
        clock=clock,
        operator_id=operator_id,
        worker_pool=worker_pool,
    )


def exchange_of(
    settings: Settings,
    clock: Clock,
    operator_id: Callable[[], int] = lambda: 0,
    worker_pool: WorkerPool | None = None,
) -> Exchange:
    """Return the exchange of these settings. operator_id: of the orders that are sent or asked for."""
    if settings.exchange == "bitvavo":
        return bitvavo_of(settings, clock, operator_id, worker_pool)
    return binance_of(settings, clock, worker_pool)


def trading_exchange(settings: Settings, clock: Clock, book: Callable[[], Book]) -> Exchange:
    """Return what orders of this mode go to. book: what the paper exchange's account holds."""
    pool = None if settings.mode == "demo" else WorkerPool(1, f"{settings.exchange}-prices")
    market = exchange_of(settings, clock, lambda: book().operator_id, pool)
    if settings.mode != "paper":
        return market
    facts = settings.exchange_facts
    return PaperExchange(market, book, facts.taker_fee, takes_fee_in_quote=facts.takes_fee_in_quote)


def open_store(settings: Settings, clock: Clock, path: Path, disk: Disk) -> Store:
    """Return the book of these settings, begun where there is none yet. Raises InputError or TemporaryError."""
    book = load_state(path, settings.mode, disk)
    first_start = book is None
    if book is None:
        _refuse_lost_book(path, settings.file(TRADES), disk)
        capital = settings.strategy.capital_initial
        book = new_book(settings.mode, settings.quote_asset, capital, clock.now(), settings.exchange)
    if fault := book_fault(book, settings):
        raise InputError(LocalizedText("fault.in_file", path=path, fault=fault))
    refuse_dates_to_come(book, clock.now().date(), str(path))
    trades = settings.file(TRADES)
    reserve = None if settings.mode == "demo" else DiskReserve(settings.file(RESERVE), disk)
    flows = settings.file(CASH_FLOWS)
    store = Store(book, path, trades, disk, lambda text: log_warning("trades.not_written", text), reserve, flows)
    store.keep_reserve()
    operator_id = operator_id_of(book, settings)
    if first_start or book.operator_id != operator_id:
        store.save(replace(book, operator_id=operator_id))
    if first_start:
        log_info("book.new", LocalizedText("log.new_book", capital=book.capital, quote=book.quote_asset, path=path))
    store.write_trades()
    store.write_cash_flows()
    return store


def _refuse_lost_book(path: Path, trades: Path, disk: Disk) -> None:
    """Trades without a book are a lost book, not a first start: coins that the bot bought would be forgotten."""
    if disk.exists(trades):
        raise InputError(LocalizedText("fault.book.lost_beside_trades", path=path, trades=trades))


def operator_id_of(book: Book, settings: Settings) -> int:
    """Return the operator id to go by: that of the settings, that of the book, or one drawn now."""
    if settings.exchange != "bitvavo":
        return book.operator_id
    return settings.bitvavo.operator_id or book.operator_id or 1 + randomness.randbelow(MAX_OPERATOR_ID - 1)


def book_fault(book: Book, settings: Settings) -> str:
    """Return why these settings cannot go on with this book; nothing where they can."""
    if book.exchange != settings.exchange:
        return LocalizedText("fault.book.other_exchange", counted=book.exchange, set=settings.exchange)
    if book.quote_asset == settings.quote_asset:
        return ""
    return LocalizedText("fault.book.other_quote", counted=book.quote_asset, set=settings.quote_asset)


class _SettingsReloader:
    """Takes up config.yaml when it has changed and is valid; tells each change once, and each fault."""

    def __init__(self, path: Path, bot: Bot, apply_overrides: Callable[[Settings], Settings], secrets: Secrets) -> None:
        self._secrets = secrets
        self._path = path
        self._bot = bot
        self._apply_overrides = apply_overrides
        self._seen = file_fingerprint(self._path)
        self._last_read = bot.settings

    def reload_settings(self) -> None:
        """Take up the file if it has changed since it was last looked at; what needs a restart waits for one."""
        fingerprint = file_fingerprint(self._path)
        if fingerprint == self._seen:
            return
        self._seen = fingerprint
        try:
            settings = self._apply_overrides(read_settings(self._path))
        except InputError as error:
            for line in error.faults:
                log_error("settings.refused", LocalizedText("log.settings_refused", fault=line), topic=line)
            return
        self._secrets.add(settings.secrets)
        self._tell(setting_changes(self._last_read, settings))
        self._last_read = settings
        running = self._bot.settings
        self._bot.awaiting_restart = tuple(
            change.key for change in setting_changes(running, settings) if change.needs_restart
        )
        in_force = settings_in_force(running, settings)
        if in_force != running:
            self._bot.settings = in_force
            _show_settings(in_force)

    def _tell(self, changes: Iterable[SettingChange]) -> None:
        for change in changes:
            key, old, new = change.key, change.old, change.new
            if change.needs_restart:
                text = LocalizedText("log.setting_needs_restart", key=key, old=old, new=new)
                log_warning("settings.need_restart", text, key=key, old=old, new=new)
            else:
                text = LocalizedText("log.setting_changed", key=key, old=old, new=new)
                log_info("settings.taken_up", text, key=key, old=old, new=new)
