"""The one table of the files that the bot or a command gives a meaning to, in the bot's folder.

What is spelled here is spelled nowhere else. Knows no content and touches no file.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from marsshot.core.requests import is_request_id
from marsshot.infra.atomic_files import BACKUP_ENDING, SCRATCH_ENDING

SettableMode = Literal["demo", "paper", "live"]
Mode = Literal[SettableMode, "test"]
"""What config.yaml may say, and `live` at a host whose money is play money: its files are kept apart from real ones."""

USE_LIVES_MODEL: frozenset[Mode] = frozenset({"paper", "test"})  # where they have none of their own

CONFIG = "config.yaml"
PUBLIC_CONFIG = "config.public.yaml"
KEYS = "keys.env"
BOOK = "bot_state.json"
TRADES = "trades.csv"
CASH_FLOWS = "cash_flows.csv"
DECISIONS = "decisions.csv"
EQUITY = "equity.csv"
LAST_SEEN = "seen.json"
REPLY = "heard.json"
HEARTBEAT = "heartbeat.json"
PAUSE = "PAUSE"
RESUME = "RESUME"
SELL_ALL = "SELL_ALL"
DAILY = "DAILY"
REQUEST = "REQUEST"  # and behind a dot the id of the request
MODEL = "model.pkl"
MODEL_FACTS = "model.json"
MODEL_REPORT = "model_report.html"
FALLBACK_MODEL = "model.in_use.pkl"
FALLBACK_MODEL_FACTS = "model.in_use.json"
TRAINING_DATA = "training_data.csv"
LOG = "bot.log"
DASHBOARD_TOKEN = "dashboard.token"  # noqa: S105 - a file's name
DEMO_ACCOUNT = "embedded_market.json"
EQUITY_CHART = "equity.png"
TELEGRAM_STATE = "telegram.json"
WEEKLY = "weekly.json"
RESERVE = "reserve.bin"  # room for the book when the disk is full
CACHE_FOLDER = "cache"
CONTROL_FOLDER = "control"
EXPORT_FOLDER = "export"
BACKTEST_FOLDER = "backtest"
BACKTEST_REPORT = "report.html"  # in that folder

LOCK_ENDING = ".lock"
_LONGEST_NAME = 200  # bytes: room for the mode's name and for what is put behind a name


@dataclass(frozen=True, slots=True, kw_only=True)
class BotFile:
    """One file, or folder, of the bot.

    has_mode: all modes but live put their name into it. is_private: readable by its owner only. is_backed_up: belongs
    into an archive of what could not be made again. is_runtime: a run of the program makes it. is_reserved: nothing
    else may be written there, the log for one.
    """

    name: str
    has_mode: bool = True
    is_private: bool = True
    is_backed_up: bool = False
    is_runtime: bool = True
    is_reserved: bool = True
    is_folder: bool = False


BOT_FILES = (
    BotFile(name=CONFIG, has_mode=False, is_private=False, is_backed_up=True, is_runtime=False),
    BotFile(name=PUBLIC_CONFIG, has_mode=False),
    BotFile(name=KEYS, has_mode=False, is_runtime=False),
    BotFile(name=BOOK, is_backed_up=True),
    BotFile(name=TRADES, is_backed_up=True),
    BotFile(name=CASH_FLOWS, is_backed_up=True),
    BotFile(name=DECISIONS, is_backed_up=True),
    BotFile(name=EQUITY, is_backed_up=True),
    BotFile(name=LAST_SEEN, is_backed_up=True),
    BotFile(name=REPLY),
    BotFile(name=HEARTBEAT),
    BotFile(name=PAUSE, is_backed_up=True),  # without it a restored bot would buy again, whatever was the matter
    BotFile(name=RESUME),
    BotFile(name=SELL_ALL),
    BotFile(name=DAILY),
    BotFile(name=REQUEST),
    BotFile(name=MODEL, is_private=False, is_backed_up=True),
    BotFile(name=MODEL_FACTS, is_private=False, is_backed_up=True),
    BotFile(name=MODEL_REPORT, is_private=False),
    BotFile(name="model.candidate.pkl", is_private=False),
    BotFile(name="model.candidate.json", is_private=False),
    BotFile(name="model_report.candidate.html", is_private=False),
    BotFile(name=FALLBACK_MODEL),
    BotFile(name=FALLBACK_MODEL_FACTS),
    BotFile(name=TRAINING_DATA, is_private=False),
    BotFile(name=LOG, is_reserved=False),
    BotFile(name=DASHBOARD_TOKEN, has_mode=False),
    BotFile(name=DEMO_ACCOUNT),
    BotFile(name=EQUITY_CHART, is_private=False),
    BotFile(name=RESERVE),
    BotFile(name=TELEGRAM_STATE),
    BotFile(name=WEEKLY),
    BotFile(name=CACHE_FOLDER, has_mode=False, is_private=False, is_folder=True),
    BotFile(name=CONTROL_FOLDER, has_mode=False, is_private=False, is_runtime=False, is_folder=True),
    BotFile(name=EXPORT_FOLDER, has_mode=False, is_folder=True),
    BotFile(name=BACKTEST_FOLDER, has_mode=False, is_private=False, is_folder=True),
)

_WITHOUT_MODE = {file.name for file in BOT_FILES if not file.has_mode}
_BY_NAME = {file.name.casefold(): file for file in BOT_FILES}
_MODES_IN_NAMES = {mode for mode in get_args(Mode) if mode != "live"}
_PROGRAM_ENDINGS = (".py", ".yaml", ".yml")  # of the program, and of settings under another name
_BESIDE = (BACKUP_ENDING, SCRATCH_ENDING, LOCK_ENDING)  # what lies beside a file while it is replaced or held


def file_in_mode(name: str, mode: Mode) -> Path:
    """Return the path of a file in this mode: all but live put their name before the last ending."""
    path = Path(name)
    return path if mode == "live" or name in _WITHOUT_MODE else path.with_name(f"{path.stem}.{mode}{path.suffix}")


def request_path(request_id: str, mode: Mode) -> Path:
    """Return the name of the file that one request of the owner's lies in."""
    return Path(f"{file_in_mode(REQUEST, mode)}.{request_id}")


def request_id_in(name: str, mode: Mode) -> str | None:
    """Return the id of the request that lies in a file of this name; None where it is not one of this mode."""
    if not name.startswith(REQUEST):  # asked of every file of the folder in every cycle: it is quick to say no
        return None
    beginning, _, request_id = name.rpartition(".")
    return request_id if is_request_id(request_id) and beginning == str(file_in_mode(REQUEST, mode)) else None


def in_every_mode(name: str) -> tuple[Path, ...]:
    """Return the paths that a file has in the modes, each once."""
    return tuple(dict.fromkeys(file_in_mode(name, mode) for mode in get_args(Mode)))


def lock_path(book: Path) -> Path:
    """Return the file that is locked by whoever writes this book."""
    return book.with_name(book.name + LOCK_ENDING)


def candidate_path(model: Path) -> Path:
    """Return where a new model is put that may not take this one's place: model.demo.candidate.pkl."""
    return model.with_name(f"{model.stem}.candidate{model.suffix}")


def facts_path(model: Path) -> Path:
    """Return the file with the facts of a model, beside it."""
    return model.with_suffix(Path(MODEL_FACTS).suffix)


def report_path(model: Path) -> Path:
    """Return the report's place beside a model: model.demo.pkl has model_report.demo.html."""
    first, *rest = model.stem.split(".")
    return model.with_name(".".join([f"{first}_report", *rest, "html"]))


def bot_file(name: str) -> BotFile | None:
    """Return what is told of a file of this name, in whatever mode, or of the one that it would lie beside."""
    # Some file systems take capitals and small letters for the same.
    parts = [part for part in name.casefold().split(".") if part not in _MODES_IN_NAMES]
    if found := _BY_NAME.get(".".join(parts)):
        return found
    if parts[0] == REQUEST.casefold() and is_request_id(parts[-1]):
        return _BY_NAME[parts[0]]
    beside, ending = Path(name).stem, Path(name).suffix.casefold()
    return bot_file(beside) if ending in _BESIDE else None


def is_free_name(name: str) -> bool:
    """Return whether this is a plain file name that means nothing to the bot, in any mode."""
    is_plain = name == Path(name).name and name != ".." and name.isprintable() and "\\" not in name
    fits = 0 < len(name.encode(errors="replace")) <= _LONGEST_NAME
    if not is_plain or not fits or name.casefold().endswith(_PROGRAM_ENDINGS):
        return False
    file = bot_file(name)
    return file is None or not file.is_reserved
