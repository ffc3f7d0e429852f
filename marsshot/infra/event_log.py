"""What the bot says: one line per thing that happened, for people on the terminal, with name and fields in bot.log.

INFO: money or state moved. WARNING: something was left out or a source is in trouble. ERROR: a person is needed.
Never a secret: every known secret is blanked out of whatever passes, tracebacks included.
"""

from __future__ import annotations

import logging
import shlex
from collections.abc import Callable, Iterable
from datetime import datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path

from marsshot.core.catalog import Catalog, LocalizedText
from marsshot.core.errors import InputError
from marsshot.core.foreign_text import one_line, printable
from marsshot.infra.atomic_files import open_private
from marsshot.infra.console import Terminal

log = logging.getLogger("marsshot")

LOG_BYTES, LOG_FILES = 5_000_000, 5
# Libraries that would write signed requests, or answers about the account, into whatever log is set to DEBUG.
NOISY_LOGGERS = ("urllib3", "requests", "binance", "websockets", "asyncio")


def log_info(event: str, sentence: str, *, level: int = logging.INFO, **details: object) -> None:
    """Tell what happened: a sentence for people, an event name and fields for the file."""
    log.log(level, sentence, extra={"event": event, "details": details})


def log_file_only(event: str, sentence: str, **details: object) -> None:
    """Tell the file alone."""
    log.info(sentence, extra={"event": event, "details": details, "quiet": True})


def log_warning(event: str, sentence: str, **details: object) -> None:
    """Tell of trouble that the bot copes with."""
    log_info(event, sentence, level=logging.WARNING, **details)


def log_error(event: str, sentence: str, **details: object) -> None:
    """Tell of trouble that needs a person."""
    log_info(event, sentence, level=logging.ERROR, **details)


def is_logging() -> bool:
    """Return whether anybody hears what is told; in a backtest nobody does, and many sentences cost time."""
    return log.isEnabledFor(logging.INFO)


class Secrets:
    """The secrets in use; what is blanked out changes when the settings do."""

    def __init__(self, values: Iterable[str]) -> None:
        self._values: list[str] = []
        self.add(values)

    def add(self, values: Iterable[str]) -> None:
        """Blank these out as well from now on, the longest first: one may begin with another."""
        self._values = sorted({*self._values, *values}, key=len, reverse=True)

    def redact(self, text: str) -> str:
        """Return the text without secrets."""
        for secret in self._values:
            text = text.replace(secret, "***")
        return text


class _RedactingFormatter(logging.Formatter):
    """Stamps lines with the bot's own clock (the demo's is virtual) and blanks secrets out."""

    def __init__(
        self, now: Callable[[], datetime], secrets: Secrets, *, for_console: bool, catalog: Catalog | None = None
    ) -> None:
        super().__init__("%(message)s")
        self._now = now
        self._secrets = secrets
        self._for_console = for_console
        self._catalog = catalog

    def format(self, record: logging.LogRecord) -> str:
        text = printable(record.getMessage())
        if self._catalog is not None and isinstance(record.msg, LocalizedText):
            text = printable(self._catalog.render(record.msg))
        if record.exc_info:  # indented, so that none of its lines is taken for one of the log's own
            trace = self.formatException(record.exc_info).splitlines()
            text = "\n".join([text, *(f"  {one_line(self._secrets.redact(line))}" for line in trace)])
        stamp = self._now()
        if self._for_console:
            mark = "" if record.levelno < logging.WARNING else "! "
            line = f"{stamp:%Y-%m-%d %H:%M}  {mark}{text}"
        else:
            details = getattr(record, "details", {}).items()
            fields = "".join(f" {key}={shlex.quote(self._detail(value))}" for key, value in details)
            event = getattr(record, "event", record.name)
            line = f"{stamp:%Y-%m-%dT%H:%M:%SZ} {record.levelname} {event}{fields} | {text}"
        return self._secrets.redact(line)

    def _detail(self, value: object) -> str:
        return one_line(self._secrets.redact(str(value)))


class _ConsoleHandler(logging.Handler):
    """Shows lines on the terminal; on a rich console they do not tear a live table."""

    def __init__(self, console: Terminal) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        if getattr(record, "quiet", False):
            return
        style = {logging.WARNING: "yellow", logging.ERROR: "bold red"}.get(record.levelno)
        try:
            self._console.print(self.format(record), style=style, markup=False, highlight=False, soft_wrap=True)
        except (OSError, ValueError, SystemExit):  # rich ends the process when a pipe's reader is gone
            return  # bot.log has the line; a terminal that is gone must not end a bot with open positions


class _PrivateRotatingFileHandler(RotatingFileHandler):
    """A rotating log that only its owner can read."""

    def _open(self):  # type: ignore[no-untyped-def]
        return open(self.baseFilename, self.mode, encoding="utf-8", opener=open_private)


def start_log(
    path: Path,
    now: Callable[[], datetime],
    secrets: Iterable[str],
    console: Terminal | None,
    catalog: Catalog | None = None,
) -> Secrets:
    """Send all lines to the rotating file, and to the console if one is given. Raises InputError.

    catalog: the language of the console's lines, for a command whose owner looks on; without it they are in English, as
    the file's always are. Returns the secrets that are blanked out, for more to be added.
    """
    known = Secrets(secrets)
    stop_log()
    try:
        file = _PrivateRotatingFileHandler(path, maxBytes=LOG_BYTES, backupCount=LOG_FILES, encoding="utf-8")
    except OSError as error:
        raise InputError(LocalizedText("fault.file.log", path=path, why=error.strerror)) from None
    file.setFormatter(_RedactingFormatter(now, known, for_console=False))
    log.addHandler(file)
    if console is not None:
        shown = _ConsoleHandler(console)
        shown.setFormatter(_RedactingFormatter(now, known, for_console=True, catalog=catalog))
        log.addHandler(shown)
    log.setLevel(logging.INFO)
    log.propagate = False
    for name in NOISY_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.raiseExceptions = False  # a full disk is no reason to print a line, secrets and all, to stderr
    return known


def log_to_console(
    console: Terminal, now: Callable[[], datetime], secrets: Iterable[str], catalog: Catalog
) -> logging.Handler:
    """Print lines on the console alone, for a command that writes nothing; return the handler, to be removed."""
    handler = _ConsoleHandler(console)
    handler.setFormatter(_RedactingFormatter(now, Secrets(secrets), for_console=True, catalog=catalog))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
    return handler


def stop_log() -> None:
    """Close what start_log opened."""
    for handler in log.handlers[:]:
        log.removeHandler(handler)
        handler.close()
