"""What the owner sees on the phone, read from the bot's files as `main.py status` reads them. Writes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from marsshot.bot.control_files import ControlFiles
from marsshot.commands.status import book_and_moment, current_facts, current_lines
from marsshot.commands.status_view import money_lines, position_lines
from marsshot.commands.tokens import refuse_unheld
from marsshot.config.bot_files import DECISIONS, EQUITY
from marsshot.config.settings import Settings
from marsshot.core.catalog import Catalog
from marsshot.monitoring.send_messages import draw_equity
from marsshot.portfolio.difference_messages import difference_text
from marsshot.reporting.decision_records import DecisionRow, parse_decisions
from marsshot.telegram.page import Page

MAX_DECISIONS = 15


class Pages:
    """The pages of one mode. Each raises InputError where a file cannot be trusted, or is not there yet."""

    def __init__(self, settings: Settings, catalog: Catalog) -> None:
        self._settings = settings
        self._catalog = catalog

    def status(self, _: str) -> Page:
        """Return what `main.py status` says, word for word."""
        return Page(("\n".join(current_lines(self._settings)),))

    def positions(self, _: str) -> Page:
        """Return each position with price, gain and the levels of its rules."""
        facts = current_facts(self._settings)
        now, quote = datetime.fromisoformat(facts["time"]), facts["quote_asset"]
        held = [
            "\n".join(position_lines(symbol, one, quote, now, self._catalog))
            for symbol, one in facts["positions"].items()
        ]
        return Page(("\n\n".join(held) or self._catalog.text("status.no_positions"),))

    def profit(self, _: str) -> Page:
        """Return what it is worth and has gained, with the curve."""
        lines = tuple(money_lines(current_facts(self._settings), self._catalog))
        with TemporaryDirectory() as folder:
            picture = draw_equity(self._settings.file(EQUITY), Path(folder), self._catalog)
            return Page(lines, picture.read_bytes() if picture else b"")

    def chart(self, token: str) -> Page:
        """Return a token's prices with what was bought and sold; without a token, the curve of everything."""
        if not token:
            return self.profit("")
        from marsshot.bot.daily_candles import conversion_text  # noqa: PLC0415 - heavy, both
        from marsshot.telegram.token_chart import draw_token  # noqa: PLC0415

        picture = draw_token(token, self._settings, self._catalog)
        if picture is None:
            return Page((self._catalog.text("telegram.no_prices", symbol=token),))
        converted = conversion_text(self._settings, self._catalog)
        told = self._catalog.text("telegram.chart", symbol=token)
        return Page((f"{told}\n{converted}" if converted else told,), picture)

    def decisions(self, token: str) -> Page:
        """Return what the last daily update decided, the highest score first, or the last of one token."""
        rows = self._decisions()
        if token:
            rows = [row for row in rows if row.symbol == token][-MAX_DECISIONS:]
            lines = [self._catalog.text("telegram.decision_day", day=row.day, line=self._decision(row)) for row in rows]
            return Page(("\n".join(lines) or self._catalog.text("telegram.no_decisions_of", symbol=token),))
        if not rows:
            return Page((self._catalog.text("telegram.no_decisions"),))
        last = [row for row in rows if row.day == rows[-1].day]
        ranked = sorted(last, key=lambda row: (row.probability is None, -(row.probability or 0)))
        shown = [self._decision(row) for row in ranked[:MAX_DECISIONS]]
        left = len(ranked) - len(shown)
        heading = self._catalog.text("telegram.decisions", day=rows[-1].day)
        more = [self._catalog.text("telegram.more", count=left)] if left else []
        return Page(("\n".join([heading, *shown, *more]),))

    def _decisions(self) -> Sequence[DecisionRow]:
        path = self._settings.file(DECISIONS)
        return parse_decisions(path.read_bytes() if path.exists() else b"", str(path))

    def _decision(self, row: DecisionRow) -> str:
        say = partial(self._catalog.text, symbol=row.symbol)
        known = self._catalog.has_key(f"action.{row.action}")
        facts = {
            "action": self._catalog.text(f"action.{row.action}") if known else row.action,
            "why": row.detail or row.reason,
        }
        if row.probability is None:
            return say("telegram.decision_scoreless", **facts)
        return say("telegram.decision", score=row.probability, **facts)

    # ------------------------------------------------------------------ what is asked before it is done

    def sell_all_question(self, _: str) -> Page:
        """Ask whether to sell everything: what, and worth about how much."""
        facts = current_facts(self._settings)
        held, quote = facts["positions"], facts["quote_asset"]
        if not held:
            return Page((self._catalog.text("telegram.nothing_held"),))
        lines = [self._held_line(symbol, one, quote) for symbol, one in held.items()]
        worth = Decimal(facts["positions_worth"])
        sure = self._catalog.text("telegram.sell_all_sure", worth=worth, asset=quote, count=len(held))
        return Page(("\n".join([*lines, "", sure]),), is_question=True)

    def sell_question(self, token: str) -> Page:
        """Ask whether to sell one position whole, and what it is worth about."""
        refuse_unheld(self._settings, token)
        facts = current_facts(self._settings)
        line = self._held_line(token, facts["positions"][token], facts["quote_asset"])
        return Page((line, "", self._catalog.text("telegram.sell_sure", symbol=token)), is_question=True)

    def include_question(self, token: str) -> Page:
        """Ask whether purchases of a token are allowed again."""
        return Page((self._catalog.text("telegram.include_sure", symbol=token),), is_question=True)

    def resume_question(self, _: str) -> Page:
        """Ask whether to allow buying again: what the bot has paused for is told with it."""
        book = book_and_moment(self._settings)[0]
        differences = tuple(difference_text(*one, book, self._catalog) for one in book.differences.items())
        reason = self._catalog.show(differences) or ControlFiles(self._settings).reason()
        return Page((self._catalog.text("telegram.resume_sure", reason=reason),), is_question=True)

    def _held_line(self, symbol: str, held: Mapping[str, Any], quote: str) -> str:
        facts = {"symbol": symbol, "qty": Decimal(held["qty"]), "asset": quote}
        if held["worth"] is None:
            return self._catalog.text("telegram.held_at_cost", cost=Decimal(held["cost"]), **facts)
        return self._catalog.text("telegram.held", worth=Decimal(held["worth"]), **facts)
