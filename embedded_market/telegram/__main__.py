"""Try the bot's Telegram without Telegram: `python -m embedded_market.telegram`, a chat on this terminal.

Prints the settings that lead the bot here. What is typed is what its owner writes; a number taps its button.
Pictures are put into the working directory. Ctrl-C ends it.
"""

from __future__ import annotations

import argparse
import sys
import threading
from pathlib import Path

from embedded_market.telegram.bot_api import SentMessage, TelegramStandIn
from embedded_market.telegram.server import TelegramServer

# No settings are read here: both languages.
INTRODUCTION = """In config.yaml, in place of its telegram section; then start the bot, and type /help here:
Dans config.yaml, à la place de sa section telegram ; puis démarrez le robot, et tapez /help ici :"""


class TerminalChat:
    """The owner's side of the chat, on a terminal."""

    def __init__(self, stand_in: TelegramStandIn) -> None:
        self._stand_in = stand_in
        self._buttons: list[tuple[SentMessage, str]] = []
        self._shown: dict[int, str] = {}

    def show_for_ever(self) -> None:
        """Show what the bot writes and changes, as it comes."""
        while True:
            with self._stand_in.changed:
                self._stand_in.changed.wait(1.0)
                new = [one for one in self._stand_in.sent if self._shown.get(one.number) != one.text]
            for message in new:
                self._show(message)

    def _show(self, message: SentMessage) -> None:
        again = " (changed)" if message.number in self._shown else ""
        self._shown[message.number] = message.text
        lines = [f"-- bot{again}", message.text]
        if message.picture is not None:
            path = Path(f"telegram_{message.number}.png")
            path.write_bytes(message.picture)
            lines.append(f"[picture: {path}]")
        for button in (button for row in message.buttons for button in row):
            self._buttons.append((message, button["callback_data"]))
            lines.append(f"[{len(self._buttons)}] {button['text']}")
        sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()

    def type(self, line: str) -> None:
        """Write, or tap."""
        if line.isdecimal() and 0 < int(line) <= len(self._buttons):
            self._stand_in.tap(*self._buttons[int(line) - 1])
        elif line:
            self._stand_in.write(line)


def main(arguments: list[str] | None = None) -> int:
    """Serve until interrupted. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m embedded_market.telegram", description=__doc__)
    parser.add_argument("--port", type=int, default=8081, help="on 127.0.0.1; 0: any")
    stand_in = TelegramStandIn()
    chat = TerminalChat(stand_in)
    try:
        with TelegramServer(stand_in, parser.parse_args(arguments).port) as server:
            section = f'telegram: {{token: "{stand_in.token}", chat_id: {stand_in.owner}, base_url: "{server.url}"}}'
            sys.stdout.write(f"{INTRODUCTION}\n\n{section}\n\n")
            sys.stdout.flush()
            threading.Thread(target=chat.show_for_ever, daemon=True).start()
            for line in sys.stdin:
                chat.type(line.strip())
    except OSError as error:
        parser.error(f"--port: {error.strerror}")
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
