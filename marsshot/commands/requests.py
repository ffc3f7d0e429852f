"""Has a request of the owner's carried out, by the bot that runs or here, and waits for the book's answer.

Takes over where the running bot ends in the middle. Holds no rule.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from marsshot.bot.bootstrap import RunningBot
from marsshot.bot.control_files import ControlFiles
from marsshot.bot.request_taker import answer_text
from marsshot.bot.session import ORDER_RESOLUTION_SECONDS, resolve_unknown_orders, run_once
from marsshot.config.bot_files import BOOK
from marsshot.config.settings import Settings
from marsshot.core.catalog import Catalog, LocalizedText
from marsshot.core.errors import MarsShotError, OperatorNeededError, TemporaryError
from marsshot.core.requests import OwnerRequest, RequestAnswer, RequestOutcome
from marsshot.infra.atomic_files import Disk
from marsshot.infra.clock import SystemClock
from positions_store import is_locked, load_state


def answer_of(settings: Settings, request: OwnerRequest) -> RequestAnswer | None:
    """Return how a request ended; None while the book does not say. Raises InputError."""
    book = load_state(settings.file(BOOK), settings.mode, Disk())
    return book.answered_requests.get(request.request_id) if book else None


def answered(
    settings: Settings, control: ControlFiles, request: OwnerRequest, carry_out_here: Callable[[], object]
) -> RequestAnswer:
    """Return the answer to a request, once there is one.

    Raises TemporaryError where the running bot has none yet (it will carry the request out), and whatever goes wrong
    here: the request is withdrawn then.
    """
    clock, seconds_left = SystemClock(), ORDER_RESOLUTION_SECONDS
    while seconds_left > 0:
        if (answer := answer_of(settings, request)) is not None:
            return answer
        nobody_runs = not is_locked(settings.file(BOOK))  # or the one who did has died in the middle of it
        if nobody_runs and (answer := _answered_here(settings, control, request, carry_out_here)) is not None:
            return answer
        clock.sleep(1.0)
        seconds_left -= 1.0
    raise TemporaryError(LocalizedText("request.not_heard"))


def _answered_here(
    settings: Settings, control: ControlFiles, request: OwnerRequest, carry_out_here: Callable[[], object]
) -> RequestAnswer | None:
    """Carry out a request here and return its answer; None where a bot has begun to run this very moment."""
    try:
        carry_out_here()
    except OperatorNeededError:
        return None
    except MarsShotError:
        if (answer := answer_of(settings, request)) is not None:
            return answer
        control.remove_request(request.request_id)
        raise
    if (answer := answer_of(settings, request)) is not None:
        return answer
    control.remove_request(request.request_id)
    raise TemporaryError(LocalizedText("request.withdrawn"))


def tell_answer(settings: Settings, config: Path, control: ControlFiles, request: OwnerRequest) -> int:
    """Have a request that needs no sale carried out, and print how it ended; return the exit code.

    Raises MarsShotError.
    """

    def carry_out(run: RunningBot) -> int:
        if run.bot.store.book.intents:
            resolve_unknown_orders(run.bot)
        run.bot.carry_out_requests()
        if (error := run.bot.request_error(request.request_id)) is not None:
            raise error
        return 0

    answer = answered(settings, control, request, lambda: run_once(settings, config, carry_out, console=None))
    print(Catalog(settings.language).render(answer_text(request, answer, settings.quote_asset)))  # noqa: T201
    return 0 if answer.outcome in {RequestOutcome.DONE, RequestOutcome.NO_CHANGE} else 1
