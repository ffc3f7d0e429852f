"""The owner's commands as the bot has read them, and the bot's replies, for the commands that wait for them.

Reads and writes control files only, through control_files.py. Carries nothing out, and holds no rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from marsshot.bot.control_files import CommandReply, ControlFiles
from marsshot.core.catalog import LocalizedText
from marsshot.core.errors import TemporaryError
from marsshot.core.reasons import UnsoldReason
from marsshot.infra.event_log import log_info, log_warning


class CommandInbox:
    """The commands that one bot has read."""

    def __init__(self, control: ControlFiles) -> None:
        self._control = control
        self._last_commands = control.pending_commands()
        self._last_reply = CommandReply(self._last_commands.paused)

    def poll(self) -> bool:
        """Read the pending commands; return whether the daily update has been requested since the last time."""
        before, self._last_commands = self._last_commands, self._control.pending_commands()
        return self._last_commands.daily_update_requested and not before.daily_update_requested

    def has_pending_command(self) -> bool:
        """Return whether the owner has given a command that has not been read yet. Never raises."""
        try:
            return self._control.pending_commands() != self._last_commands
        except OSError:  # a disk in trouble; the next cycle meets it where that is told
            return False

    def acknowledge_daily_update(self, *, is_settled: bool) -> None:
        """Remove the request for today's daily update, which a command waits for, if it was read and is settled.

        Settled: the daily update is done, or was tried and has to wait (why stands in the journal by then), or its day
        is over.
        """
        if not (self._last_commands.daily_update_requested and is_settled):
            return
        try:
            self._control.acknowledge_daily_request()
        except TemporaryError as error:
            log_warning("control.not_answered", error.message)
        else:
            self._last_commands = self._last_commands._replace(
                daily_update_requested=False
            )  # so that the next request counts as one

    def write_reply(self, left: Mapping[str, tuple[UnsoldReason, str]], *, sold_all: bool) -> None:
        """Reply what was read of pausing and selling, and what could not be sold and why, if that is new.

        sold_all: it is the answer to SELL_ALL.
        """
        reply = CommandReply(bool(self._control.paused()), sold_all, left)
        if not sold_all and reply == replace(self._last_reply, sold_all=False):
            return
        if reply.paused is not self._last_reply.paused:
            heard = LocalizedText("log.buying_paused" if reply.paused else "log.buying_allowed")
            log_info("control.heard", heard, paused=reply.paused)
        self._last_reply = replace(reply, sold_all=sold_all or bool(reply.left) or bool(self._last_reply.left))
        try:
            self._control.write_reply(self._last_reply)
        except OSError as error:
            log_warning("control.not_answered", LocalizedText("log.not_answered", why=error.strerror))
