"""`main.py setup`: from questions to settings that work, without an editor; a second run changes one thing at a time.

Writes the file of keys, then config.yaml, each in one replacement, once the owner has said yes to all of it. Whatever
ends it before leaves both as they were; between the two, keys are there that no setting uses yet.
"""

from __future__ import annotations

import getpass
import os
from pathlib import Path

from marsshot.commands.checking.check import run_check
from marsshot.commands.setup.dialog import Dialog, Screen, World
from marsshot.commands.setup.draft import Draft, first_draft
from marsshot.commands.setup.world import Venues
from marsshot.config.bot_files import CONFIG, KEYS
from marsshot.config.keys_file import keys_beside, with_keys
from marsshot.core.catalog import COMMAND_VARIABLE, CONTAINER_COMMAND, Catalog, LocalizedText
from marsshot.core.errors import InputError, TemporaryError
from marsshot.infra.atomic_files import Disk, scratch_path
from marsshot.infra.child_processes import PROJECT

SERVICE_COMMAND, SERVICE_KEYS = "marsshot", Path("/etc/marsshot/keys")


class TerminalScreen:
    """The terminal that the command was typed in."""

    def say(self, line: str) -> None:
        """Show a line."""
        print(line)  # noqa: T201

    def ask(self, question: str) -> str:
        """Return what is typed."""
        return input(f"{question} ")

    def ask_hidden(self, question: str) -> str:
        """Return what is typed unseen."""
        return getpass.getpass(f"{question} ")


def run_setup(path: Path, screen: Screen | None = None, world: World | None = None) -> int:
    """Ask, write, check. Returns 0, or 1 where nothing was changed. Raises InputError for settings that do not hold."""
    screen, keys_path = screen or TerminalScreen(), _keys_path(path)
    text = _read(path if path.exists() else PROJECT / CONFIG)
    dialog = Dialog(screen, world or Venues(), first_draft(path, text, {**keys_beside(keys_path), **os.environ}))
    try:
        if path.exists() and dialog.draft.settings.mode != "demo":
            dialog.ask_some()
        else:
            dialog.ask_all()
        is_wanted = dialog.is_confirmed()
    except (KeyboardInterrupt, EOFError):
        screen.say("")
        is_wanted = False
    catalog = dialog.catalog
    if not is_wanted:
        screen.say(catalog.text("setup.nothing_changed"))
        return 1
    try:
        _write(dialog.draft, keys_path)
    except TemporaryError as error:  # in the language that was just chosen: the file has not got it yet
        screen.say(catalog.render(*error.faults))
        return error.exit_code
    screen.say(catalog.text("setup.written", path=path))
    if dialog.draft.secrets:
        screen.say(catalog.text("setup.keys_written", path=keys_path))
    _end(dialog.draft, screen, catalog)
    return 0


def _end(draft: Draft, screen: Screen, catalog: Catalog) -> None:
    """Check what was written, and say what comes next."""
    shadowed = [] if os.environ.get(COMMAND_VARIABLE) else sorted(draft.secrets.keys() & os.environ.keys())
    if shadowed:
        screen.say(catalog.text("setup.shadowed", variables=", ".join(shadowed)))
    screen.say(catalog.text("setup.checking"))
    run_check(draft.settings)
    screen.say(catalog.text("setup.next_demo" if draft.settings.mode == "demo" else "setup.next"))


def _keys_path(config: Path) -> Path:
    """Return the file of keys that the bot of this machine reads. Raises InputError in a container."""
    command = os.environ.get(COMMAND_VARIABLE, "")
    if command == CONTAINER_COMMAND:
        raise InputError(LocalizedText("setup.in_container"))
    return SERVICE_KEYS if command == SERVICE_COMMAND else config.with_name(KEYS)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise TemporaryError(LocalizedText("fault.file.unreadable", path=path, why=error.strerror)) from None
    except UnicodeDecodeError:
        raise InputError(LocalizedText("fault.config.no_text", path=path)) from None


def _write(draft: Draft, keys_path: Path) -> None:
    """Write keys, then settings. Raises TemporaryError; what is not written stays as it was."""
    if draft.secrets:
        held = _read(keys_path) if keys_path.exists() else ""
        _replace_private(keys_path, with_keys(held, draft.secrets))
    mode = draft.path.stat().st_mode & 0o777 if draft.path.exists() else None
    _replace_private(draft.path, draft.text)
    if mode is not None:
        draft.path.chmod(mode)


def _replace_private(path: Path, text: str) -> None:
    """Replace a file by one that only its owner reads; in place where its folder is closed, as /etc/marsshot is."""
    disk, scratch = Disk(), scratch_path(path)
    try:
        if not os.access(path.parent, os.W_OK):
            disk.write_secret(path, text.encode())
            return
        disk.write_secret(scratch, text.encode())
        disk.replace(scratch, path)
    except OSError as error:
        raise TemporaryError(LocalizedText("fault.file.unwritable", path=path, why=error.strerror)) from None
