"""Where the bot's files lie: beside its settings. What the owner types is relative to where he types it.

Changes the working directory for the length of a block, and nothing on the disk.
"""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace
from collections.abc import Collection, Iterator, Sequence
from contextlib import chdir, contextmanager
from pathlib import Path

from marsshot.config.bot_files import BOOK, CONFIG, Mode, file_in_mode
from marsshot.core.catalog import LocalizedText
from marsshot.core.errors import InputError


def named_config(given: Sequence[str]) -> Path:
    """Return the settings that are named, before anything else of the command line is read."""
    finder = ArgumentParser(add_help=False, allow_abbrev=False)
    finder.add_argument("--config", nargs="?")
    return Path(finder.parse_known_args(given)[0].config or CONFIG)


@contextmanager
def folder_of_config(arguments: Namespace, config: Path, defaults: Collection[Path] = ()) -> Iterator[Path]:
    """Work in the folder of config.yaml; yield its path, by which it is found from there.

    The paths among the arguments stay what they were where they were typed; but for the defaults, which are the bot's.
    """
    folder = Path(os.path.abspath(config)).parent
    if not folder.is_dir() or folder.samefile(os.curdir):
        yield config
        return
    for name, value in vars(arguments).items():
        if isinstance(value, Path) and not any(value is one for one in defaults):
            setattr(arguments, name, Path(os.path.abspath(value)))
    started_in = Path.cwd()
    with chdir(folder):
        _started_in.append(started_in)
        try:
            yield Path(os.path.abspath(folder / config.name))
        finally:
            _started_in.pop()


_started_in: list[Path] = []


def refuse_book_left_behind(mode: Mode) -> None:
    """Raise InputError where a book lies in the folder that the command was typed in, and none beside the settings.

    It would be an older version's, which kept it there: a new one beside it would know nothing of the positions.
    """
    book = file_in_mode(BOOK, mode)
    if _started_in and not book.exists() and (left := _started_in[-1] / book).exists():
        raise InputError(LocalizedText("fault.config.book_elsewhere", book=left, folder=Path.cwd()))
