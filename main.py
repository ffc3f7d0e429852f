"""MarsShot's daemon and its commands. `python main.py --help` lists them; `python main.py` alone runs the bot.

Wires, loops, listens to signals, and says in one line what went wrong. Holds no rule.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from bot import Bot
from clock import SystemClock
from config_file import read_settings
from control import Control
from daily_pass import Progress
from errors import InputError, MarsShotError, OperatorNeededError, StopRequested, TemporaryError
from events import alarm, say, warn
from loop import loop, stopped_by_signals
from memory import give_back
from settings import Settings
from status import show_status
from surroundings import open_surroundings
from wiring import Run, keys_needed, open_bot

DECIDED_WITHIN_SECONDS = 130.0  # an unknown outcome is decided within two minutes of its sending

COMMANDS = {
    "run": "the bot, until it is stopped (this is what happens without a command)",
    "daily": "the daily pass now, whatever the hour, if today's is not done",
    "intraday": "one price check now",
    "check": "examine settings, keys, clock, model, book and tokens, and say what to mend",
    "status": "positions, capital, profit, last and next pass; needs no network",
    "sell-all": "sell every position and pause buying; asks first unless --yes",
    "pause": "make no new buys; exits go on",
    "resume": "allow new buys again",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit code: 0 done, 1 could not do it, 2 wrong usage, settings or input file."""
    chosen = _parser().parse_args(arguments)
    config = Path(getattr(chosen, "config", "config.yaml"))
    try:
        settings = read_settings(config)
        return _command(chosen, settings, config)
    except MarsShotError as error:
        if str(error) and not isinstance(error, StopRequested):
            print(error, file=sys.stderr)  # noqa: T201
        return error.exit_code
    except OSError as error:
        print(f"{error.filename or 'the machine'}: {error.strerror or error}", file=sys.stderr)  # noqa: T201
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)  # noqa: T201
        return 0


def _parser() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument(
        "--config", metavar="PATH", default=argparse.SUPPRESS, help="the settings (default: config.yaml)"
    )
    parser = argparse.ArgumentParser(
        prog="main.py", description="MarsShot trades altcoins on Binance spot.", parents=[shared]
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, text in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=text, parents=[shared])
        if name == "status":
            command.add_argument("--json", action="store_true", help="for programs")
        if name == "sell-all":
            command.add_argument("--yes", action="store_true", help="do not ask")
    return parser


def _command(chosen: argparse.Namespace, settings: Settings, config: Path) -> int:
    commands: dict[str, Callable[[], int]] = {
        "run": lambda: _run(settings, config),
        "daily": lambda: _once(settings, config, _daily),
        "intraday": lambda: _once(settings, config, _intraday),
        "check": lambda: _check(settings),
        "status": lambda: show_status(settings, as_json=chosen.json),
        "sell-all": lambda: _sell_all(settings, config, asked=chosen.yes),
        "pause": lambda: _pause(settings),
        "resume": lambda: _resume(settings),
    }
    return commands[chosen.command or "run"]()


# --------------------------------------------------------------------------- the daemon


def _run(settings: Settings, config: Path) -> int:
    if settings.mode == "demo":
        from demo import run_demo  # noqa: PLC0415 - demo mode only

        return run_demo(settings, config)
    with _opened(settings, config, one_shot=False) as run, stopped_by_signals(run.bot.clock):
        run.bot.start()
        _check_model(run)
        book = run.bot.store.book
        say(
            "bot.started",
            f"MarsShot runs in mode {settings.mode}: {len(book.positions)} positions, capital {book.capital:.2f} "
            f"{book.quote_asset}, next daily pass {_next_pass(run.bot)}. Ctrl-C stops it.",
        )
        loop(run.bot, run.take_up, give_back)
        doubts = len(run.bot.store.book.intents)
        ending = f"{doubts} orders are in doubt, the next start looks them up" if doubts else "no order is on its way"
        say("bot.stopped", f"MarsShot has stopped; {ending}")
    return 0


def _next_pass(bot: Bot) -> str:
    return "now" if bot.daily_is_due() else f"{bot.next_daily():%Y-%m-%d %H:%M} UTC"


def _check_model(run: Run) -> None:
    """Refuse to start without a model, unless there are positions to watch over: their exits need none."""
    try:
        run.desk.check()
    except InputError as error:
        if not run.bot.store.book.positions:
            raise
        alarm("model.missing", f"Nothing is bought or sold by score until there is a model; exits go on. {error}")


# --------------------------------------------------------------------------- one-shot commands


def _once(settings: Settings, config: Path, work: Callable[[Run], int]) -> int:
    with _opened(settings, config, one_shot=True) as run, stopped_by_signals(run.bot.clock):
        try:
            run.bot.start()
            code = work(run)
            run.bot.remember_silence()
            return code
        except StopRequested:
            warn("command.stopped", "Stopped before the end; the next start goes on with what is left")
            return 1


def _daily(run: Run) -> int:
    bot = run.bot
    _settle(bot)
    run.desk.check()
    if bot.daily_is_done():
        say("daily.already_done", f"The daily pass of {bot.clock.now():%Y-%m-%d} is done already; nothing to do")
        return 0
    waited = 0.0
    while (progress := bot.daily_update()) is Progress.WAITING and waited < DECIDED_WITHIN_SECONDS:
        waited += _wait_and_settle(bot)
    if progress is Progress.DONE:
        return 0
    warn(
        "daily.not_done", "The daily pass is not done. Go on with: python main.py daily (or leave it to python main.py)"
    )
    return 1


def _intraday(run: Run) -> int:
    bot = run.bot
    done = bot.intraday_check()
    if bot.store.book.intents:  # once it is known what became of them, look again: what is done is not done twice
        _settle(bot)
        done = bot.intraday_check()
    _say_check(bot)
    return 0 if done and not bot.store.book.intents else 1


def _say_check(bot: Bot) -> None:
    held = bot.store.book.positions
    prices = [
        f"{symbol} {quote.price:f} ({(quote.price / held[symbol].entry_price - 1) * 100:+.1f} %)"
        for symbol, quote in bot.price_desk.last_quotes.items()
        if symbol in held and quote.price is not None
    ]
    say("intraday.done", f"Checked {len(held)} positions. {', '.join(prices)}".strip())


def _settle(bot: Bot) -> None:
    """Look up what is unknown, for as long as that can take."""
    bot.executor.settle_unknown()
    waited = 0.0
    while bot.store.book.intents and waited < DECIDED_WITHIN_SECONDS:
        waited += _wait_and_settle(bot)


def _wait_and_settle(bot: Bot, seconds: float = 5.0) -> float:
    bot.clock.sleep(seconds)
    bot.executor.settle_unknown()
    return seconds


def _check(settings: Settings) -> int:
    from check import run_check  # noqa: PLC0415 - brings what only this command needs

    return run_check(settings)


def _sell_all(settings: Settings, config: Path, *, asked: bool) -> int:
    if not asked and not _owner_says_yes():
        print("nothing was done")  # noqa: T201
        return 1
    if missing := settings.missing_keys(*keys_needed(settings)):
        raise InputError(*missing)
    control = Control(settings)
    control.pause()
    control.ask_to_sell_all()
    try:
        return _once(settings, config, _sell_everything)
    except OperatorNeededError:  # a running bot holds the book: it has been asked
        return _await_the_bot(control)


def _owner_says_yes() -> bool:
    try:
        return input("Sell every position at the market price, and pause buying? Type yes: ").strip() == "yes"
    except EOFError:
        return False


def _sell_everything(run: Run) -> int:
    done = run.bot.sell_all()
    if run.bot.store.book.intents:
        _settle(run.bot)
        done = run.bot.sell_all()
    left = ", ".join(run.bot.store.book.positions)
    say("control.sold_all", f"Left: {left}" if left else "Nothing is held any more; buying is paused")
    return 0 if done and not run.bot.store.book.intents else 1


def _await_the_bot(control: Control, patience_seconds: float = DECIDED_WITHIN_SECONDS) -> int:
    clock = SystemClock()
    while control.is_to_sell_all() and patience_seconds > 0:
        clock.sleep(1.0)
        patience_seconds -= 1.0
    if control.is_to_sell_all():
        raise TemporaryError("the running bot has not taken note yet; see bot.log, and look again with: main.py status")
    print("the running bot has taken note and sells; see: python main.py status")  # noqa: T201
    return 0


def _pause(settings: Settings) -> int:
    Control(settings).pause()
    print("buying is paused; exits go on. Allow it again with: python main.py resume")  # noqa: T201
    return 0


def _resume(settings: Settings) -> int:
    control = Control(settings)
    was_paused = control.resume()
    if why := control.paused():
        raise TemporaryError(f"buying stays paused: {why} in mode live, or take the file away")
    print("buying is allowed again" if was_paused else "buying was not paused")  # noqa: T201
    return 0


# --------------------------------------------------------------------------- shared


@contextmanager
def _opened(settings: Settings, config: Path, *, one_shot: bool) -> Iterator[Run]:
    if missing := settings.missing_keys(*keys_needed(settings)):
        raise InputError(*missing)
    with (
        open_surroundings(settings, keep_account=True) as around,
        open_bot(
            around.settings,
            around.clock,
            console=Console(stderr=False),
            config=config,
            dress=around.dress,
            one_shot=one_shot,
        ) as run,
    ):
        yield run


if __name__ == "__main__":
    sys.exit(main())
