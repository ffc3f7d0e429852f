"""`main.py sell-all`, `pause`, `resume`: the owner's word, carried out by the bot that runs or here, and its outcome.

Waits for the running bot, and takes over where that ends in the middle. Holds no rule.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from decimal import Decimal
from math import ceil
from pathlib import Path

from marsshot.bot.bootstrap import BOOK, TRADES, Run, keys_needed
from marsshot.bot.control_files import SELL_ALL, Control, Heard
from marsshot.bot.session import DECIDED_WITHIN_SECONDS, once, settle
from marsshot.config.settings import Settings
from marsshot.core.catalog import Sentence, Words
from marsshot.core.domain import Reason
from marsshot.core.errors import InputError, OperatorNeededError, TemporaryError
from marsshot.infra.atomic_files import Disk
from marsshot.infra.clock import SystemClock
from positions_store import is_held, load_state, read_trades

ANSWERS_WITHIN_SECONDS = 20.0  # a bot that runs hears of a file within a second, unless it is in the middle of orders
SILENCES_TO_SIT_OUT = 3  # of at most two minutes each, where Binance asks to be left alone in the middle of it
WAITING = {"in_doubt", "silenced"}  # why something is unsold that may be otherwise soon


# --------------------------------------------------------------------------- sell-all


def sell_all(settings: Settings, config: Path, *, is_sure: bool) -> int:
    """Sell every position and pause buying; print what came of it. Returns 1 where something is left to be sold."""
    words, control = Words(settings.language), Control(settings)
    if not is_sure and not _owner_says_yes(words):
        print(words.say("sell_all.nothing_done"))  # noqa: T201
        return 1
    if missing := settings.missing_keys(*keys_needed(settings)):
        raise InputError(*missing)
    before = {row["client_order_id"] for row in _trades(settings)}
    control.forget_answers()
    control.pause()
    control.ask_to_sell_all()
    left = _carried_out(settings, config, control)
    sold = [row for row in _trades(settings) if row["client_order_id"] not in before and row["side"] == "SELL"]
    for line in _outcome_lines(sold, left, settings, words):
        print(line)  # noqa: T201
    return 0 if all(code == "too_small" for code, _ in left.values()) else 1


def _owner_says_yes(words: Words) -> bool:
    try:
        return input(f"{words.say('sell_all.sure')} ").strip().lower() in {"yes", words.say("sell_all.yes")}
    except EOFError:
        return False


def _carried_out(settings: Settings, config: Path, control: Control) -> Mapping[str, tuple[str, str]]:
    """See to it that everything is sold, by the bot that runs or here; return what is left, by token, and why."""
    clock, patience = SystemClock(), DECIDED_WITHIN_SECONDS
    while patience > 0:
        if not is_held(settings.file(BOOK)):  # nobody runs, or the one who did has died in the middle of it
            try:
                return _sold_here(settings, config)
            except OperatorNeededError:
                continue  # it has begun to run this very moment
        if (left := _answer(settings, control)) is not None:
            return left
        clock.sleep(1.0)
        patience -= 1.0
    if control.is_to_sell_all():
        raise TemporaryError(Sentence("sell_all.not_heard"))
    answer = control.answered()
    return answer.left if answer else dict.fromkeys(_held(settings), ("refused", ""))


def _sold_here(settings: Settings, config: Path) -> Mapping[str, tuple[str, str]]:
    left: dict[str, tuple[str, str]] = {}
    words = Words(settings.language)

    def sell(run: Run) -> int:
        bot, silences = run.bot, SILENCES_TO_SIT_OUT
        bot.sell_all()
        if bot.store.book.intents:
            settle(bot)
            bot.sell_all()
        while silences and any(code == "silenced" for code, _ in bot.unsold().values()):
            seconds, silences = bot.seconds_of_silence(), silences - 1
            if seconds > DECIDED_WITHIN_SECONDS:
                break
            with suppress(OSError):  # nobody may be there to read it; that ends no sale
                print(words.say("sell_all.silence", seconds=ceil(seconds)), flush=True)  # noqa: T201
            bot.clock.sleep(seconds)
            bot.sell_all()
        left.update(bot.unsold())
        return 0

    if once(settings, config, sell, console=None):
        return dict.fromkeys(_held(settings), ("stopped", ""))
    return left


def _answer(settings: Settings, control: Control) -> Mapping[str, tuple[str, str]] | None:
    """Return what the running bot has left unsold, or None while it is at it."""
    if control.is_to_sell_all():
        return None
    answer = control.answered()
    if answer is not None and answer.sold_all and not any(code in WAITING for code, _ in answer.left.values()):
        return answer.left
    return None if _held(settings) else {}


def _held(settings: Settings) -> list[str]:
    book = load_state(settings.file(BOOK), settings.mode, Disk())
    return list(book.positions) if book else []


def _trades(settings: Settings) -> list[dict[str, str]]:
    return read_trades(settings.file(TRADES))


def _outcome_lines(
    sold: list[dict[str, str]], left: Mapping[str, tuple[str, str]], settings: Settings, words: Words
) -> list[str]:
    quote = settings.quote_asset
    lines = [
        words.say(
            "sell_all.sold",
            symbol=row["symbol"],
            qty=Decimal(row["qty"]),
            quote=Decimal(row["quote"]),
            price=Decimal(row["price"]),
            profit=Decimal(row["profit"] or 0),
            asset=quote,
        )
        for row in sold
        if row["reason"] == Reason.SELL_ALL
    ]
    for symbol, (code, said) in left.items():
        why = words.say(f"unsold.{code}", said=said)
        lines.append(words.say("sell_all.left", symbol=symbol, why=why))
    if not lines:
        lines.append(words.say("sell_all.nothing_held"))
    ending = "sell_all.done" if not left else "sell_all.rest"
    return [*lines, words.say(ending)]


# --------------------------------------------------------------------------- pause, resume


def pause(settings: Settings) -> int:
    """Allow no new buys; say so when the running bot has heard it."""
    words, control = Words(settings.language), Control(settings)
    if control.paused():
        control.pause()
        print(words.say("pause.was_set"))  # noqa: T201
        return 0
    control.forget_answers()
    control.pause()
    print(words.say("pause.set"))  # noqa: T201
    return _confirmed(settings, control, lambda heard: heard.paused, words)


def resume(settings: Settings) -> int:
    """Allow new buys again; say so when the running bot has heard it. Raises TemporaryError where that cannot be."""
    words, control = Words(settings.language), Control(settings)
    if control.is_to_sell_all():
        raise TemporaryError(Sentence("resume.sell_all_waits", file=settings.file(SELL_ALL)))
    control.forget_answers()
    was_paused = control.resume()
    if control.paused():
        raise TemporaryError(Sentence("resume.live_is_paused"))
    if not was_paused:
        print(words.say("resume.not_needed"))  # noqa: T201
        return 0
    print(words.say("resume.done"))  # noqa: T201
    return _confirmed(settings, control, lambda heard: not heard.paused, words)


def _confirmed(settings: Settings, control: Control, agrees: Callable[[Heard], bool], words: Words) -> int:
    """Wait for the running bot to say that it has heard it, and print that."""
    clock, patience = SystemClock(), ANSWERS_WITHIN_SECONDS
    while is_held(settings.file(BOOK)):
        heard = control.answered()
        if heard is not None and agrees(heard):
            print(words.say("control.confirmed"))  # noqa: T201
            return 0
        if patience <= 0:
            print(words.say("control.not_confirmed"))  # noqa: T201
            return 0
        clock.sleep(1.0)
        patience -= 1.0
    print(words.say("control.nobody_runs"))  # noqa: T201
    return 0
