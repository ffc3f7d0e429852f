"""`main.py daily` and `intraday`: a bot that runs makes the update when asked, and checks prices by itself.

Where none runs, the work is done here, and waits for orders in doubt. Holds no rule.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

from marsshot.bot.bootstrap import RunningBot
from marsshot.bot.bot import Bot
from marsshot.bot.control_files import ControlFiles
from marsshot.bot.daily_update.updater import Progress
from marsshot.bot.session import ORDER_RESOLUTION_SECONDS, resolve_unknown_orders, run_once, wait_and_resolve
from marsshot.commands.status import show_daily_update
from marsshot.config.bot_files import BOOK
from marsshot.config.settings import Settings
from marsshot.core.catalog import Catalog, LocalizedText
from marsshot.core.errors import OperatorNeededError
from marsshot.infra.atomic_files import Disk
from marsshot.infra.clock import SystemClock
from marsshot.infra.console import terminal
from marsshot.infra.event_log import log_info, log_warning
from marsshot.strategy.daily_plan import is_daily_update_done
from positions_store import is_locked, load_state

# Scores take as long as LunarCrush's limit dictates: a quarter of an hour for 150 tokens on the smallest plan.
MAX_UPDATE_SECONDS = 3600
# A bot that ends while it is waited for may be on its way back: after an update, a failure, or at systemd's hands.
RESTART_GRACE_SECONDS = 60


def run_daily(settings: Settings, config: Path) -> int:
    """Have today's daily update made, by the bot that runs or here, and show what came of it; return the exit code."""
    if not _is_bot_running(settings):
        try:
            return run_once(settings, config, make_daily_update, terminal())
        except OperatorNeededError:
            if not _is_bot_running(settings):
                raise
            # One has begun to run this very moment.
    today = SystemClock().now().date()
    return show_daily_update(settings, today) if _is_done(settings, today) else _request_and_wait(settings, today)


def _request_and_wait(settings: Settings, today: date) -> int:
    """Ask the running bot for the daily update, wait for it, and show what came of it.

    Where the bot ends for good meanwhile, so does the request: whoever has stopped it wants no orders from here.
    """
    control, catalog, clock, seconds_gone = ControlFiles(settings), Catalog(settings.language), SystemClock(), 0
    control.request_daily_update(today)
    print(catalog.text("beside.daily_asked"), flush=True)  # noqa: T201
    for _ in range(MAX_UPDATE_SECONDS):
        if not control.is_daily_update_requested():
            return show_daily_update(settings, today)
        seconds_gone = 0 if _is_bot_running(settings) else seconds_gone + 1
        if seconds_gone and _is_done(settings, today):  # by another command, or just before the bot's end
            control.acknowledge_daily_request()
            return show_daily_update(settings, today)
        if seconds_gone > RESTART_GRACE_SECONDS:
            control.acknowledge_daily_request()
            print(catalog.text("beside.bot_ended"))  # noqa: T201
            return 1
        clock.sleep(1.0)
    print(catalog.text("beside.daily_not_done"))  # noqa: T201
    return 1


def run_intraday(settings: Settings, config: Path) -> int:
    """Check the prices once; where a bot runs, say that it does so by itself, and return 1."""
    if not _is_bot_running(settings):
        return run_once(settings, config, check_prices_once, terminal())
    catalog = Catalog(settings.language)
    interval = timedelta(seconds=settings.strategy.check_interval_seconds)
    print(catalog.text("beside.checks_itself", interval=interval))  # noqa: T201
    return 1


def _is_bot_running(settings: Settings) -> bool:
    """Return whether a bot runs that looks for what is asked of it; the demo's time is not the owner's."""
    return settings.mode != "demo" and is_locked(settings.file(BOOK))


def _is_done(settings: Settings, day: date) -> bool:
    book = load_state(settings.file(BOOK), settings.mode, Disk())
    return book is not None and is_daily_update_done(day, book.last_daily_update)


# --------------------------------------------------------------------------- where no bot runs


def make_daily_update(run: RunningBot) -> int:
    """Make today's daily update, or what is left of it; return 1 where that cannot be done now."""
    bot = run.bot
    resolve_unknown_orders(bot)
    run.model_selector.check()
    if bot.daily_is_done():
        log_info("daily.already_done", LocalizedText("log.already_done", day=bot.clock.now().date()))
        return 0
    waited = 0.0
    while (progress := bot.daily_update()) is Progress.WAITING and waited < ORDER_RESOLUTION_SECONDS:
        waited += wait_and_resolve(bot)
    if progress is Progress.DONE:
        return 0
    log_warning("daily.not_done", LocalizedText("log.not_done"))
    return 1


def check_prices_once(run: RunningBot) -> int:
    """Check the prices, doubted ones twice; return 1 where anything is left to be tried again."""
    bot = run.bot
    done = bot.intraday_check()
    if bot.store.book.intents:  # once it is known what became of them, look again: what is done is not done twice
        resolve_unknown_orders(bot)
        done = bot.intraday_check()
    if bot.price_feed.second_look_at is not None:
        _wait_for_second_look(bot)
        done = bot.intraday_check()
    _print_check(bot)
    return 0 if done and not bot.store.book.intents else 1


def _wait_for_second_look(bot: Bot) -> None:
    """Wait until a doubted price is worth another look: a clock rests some seconds at a time."""
    while (due := bot.price_feed.second_look_at) is not None and bot.clock.now() < due and not bot.clock.stopping:
        bot.clock.idle(due)


def _print_check(bot: Bot) -> None:
    held = bot.store.book.positions
    prices = tuple(
        LocalizedText("log.price", symbol=symbol, price=quote.price, gain=quote.price / held[symbol].entry_price - 1)
        for symbol, quote in bot.price_feed.last_quotes.items()
        if symbol in held and quote.price is not None
    )
    key = "log.checked_prices" if prices else "log.checked"
    log_info("intraday.done", LocalizedText(key, count=len(held), prices=prices))
