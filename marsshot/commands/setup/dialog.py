"""Asks the questions of steps.py one by one until each is answered, and shows what will be written.

Where lines come from and go to is passed in, and so is what is asked of the venues. Writes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from typing import Protocol

from marsshot.commands.checking.findings import Finding, Level
from marsshot.commands.setup.draft import Answer, Draft
from marsshot.commands.setup.steps import STEPS, Look, Step, has_demo_tokens
from marsshot.config.settings import Settings
from marsshot.core.amounts import ZERO
from marsshot.core.catalog import Catalog
from marsshot.core.errors import InputError, MarsShotError
from marsshot.monitoring.telegram_api import TelegramRefusedError

_YES = {"y", "yes"}
CENT = Decimal("0.01")


class Screen(Protocol):
    """Where the owner reads and types."""

    def say(self, line: str) -> None:
        """Show a line."""

    def ask(self, question: str) -> str:
        """Return what is typed. Raises EOFError where nobody is there, KeyboardInterrupt on Ctrl-C."""

    def ask_hidden(self, question: str) -> str:
        """Return what is typed unseen. Raises as `ask` does."""


@dataclass(frozen=True, slots=True)
class AccountLook:
    """What the venue says of a key: lines for the owner, and what is free in quote asset, where it says so."""

    findings: Sequence[Finding]
    free: Decimal | None = None

    @property
    def is_bad(self) -> bool:
        """Whether the key cannot be used so."""
        return any(one.level is Level.BAD for one in self.findings)


class World(Protocol):
    """What is asked of the venues. Each raises MarsShotError where they cannot be asked now."""

    def account(self, settings: Settings, catalog: Catalog) -> AccountLook:
        """Return what the key of these settings may do."""

    def tokens(self, settings: Settings, catalog: Catalog) -> Sequence[str]:
        """Return the tokens to suggest."""

    def telegram_name(self, settings: Settings) -> str:
        """Return the name of the owner's bot at Telegram. Raises TelegramRefusedError where the token is wrong."""

    def telegram_chat(self, settings: Settings) -> tuple[int, str] | None:
        """Return the private chat that wrote to that bot last, and whose it is; None where nobody has."""


class Dialog:
    """One run of the questions over one draft."""

    def __init__(self, screen: Screen, world: World, draft: Draft) -> None:
        self._screen, self._world = screen, world
        self.draft = draft
        self._free: Decimal | None = None

    @property
    def catalog(self) -> Catalog:
        """The texts of the language that was chosen last."""
        return Catalog(self.draft.settings.language)

    def ask_all(self) -> None:
        """Ask every question that the answers before it leave to ask."""
        self._say_whose_money()
        language, *others = STEPS
        self._ask(language)
        self._say("setup.first")
        for step in others:
            if step.applies(self.draft.settings):
                self._ask(step)

    def ask_some(self) -> None:
        """Show what is there, and ask the questions that the owner picks, until he is content."""
        self._say_whose_money()
        while True:
            offered = [step for step in STEPS if step.applies(self.draft.settings)]
            self._say("setup.again")
            for number, step in enumerate(offered, 1):
                self._say("setup.line", number=str(number), name=self._name(step), value=self._shown(step))
            typed = self._screen.ask(self.catalog.text("setup.which")).strip()
            if not typed:
                return
            if typed.isdecimal() and 0 < int(typed) <= len(offered):
                self._ask(offered[int(typed) - 1])
            else:
                self._say("setup.needed.number", last=str(len(offered)))

    def _say_whose_money(self) -> None:
        if self.draft.settings.money_notice:
            self._screen.say(self.catalog.render(self.draft.settings.money_notice))

    def is_confirmed(self) -> bool:
        """Show what would be written, and return whether the owner wants that; False where nothing would."""
        if not self.draft.changed and not self.draft.secrets:
            return False
        self._say("setup.summary")
        for key, value in self.draft.changed.items():
            self._say("setup.change", key=key, value=value.strip())
        for variable in self.draft.secrets:
            self._say("setup.change", key=variable, value=self.catalog.text("setup.not_shown"))
        return self._is_yes(self._screen.ask(self.catalog.text("setup.sure")))

    def _is_yes(self, typed: str) -> bool:
        own = self.catalog.text("sell_all.yes")
        return typed.strip().casefold() in {*_YES, own, own[0]}

    # ------------------------------------------------------------------ one question

    def _ask(self, step: Step) -> None:
        """Ask until there is an answer that holds; nothing typed leaves what is there."""
        self._screen.say("")
        self._say(f"setup.ask.{step.name}", quote=self.draft.settings.quote_asset)
        if step.look is Look.FREE and self._free is not None:
            self._say("setup.free_now", free=self._free, quote=self.draft.settings.quote_asset)
        for number, choice in enumerate(step.choices, 1):
            key = f"setup.choice.{step.name}.{choice}"
            self._say(key if self.catalog.has_key(key) else "setup.choice.plain", number=str(number), choice=choice)
        while True:
            typed = self._typed(step)
            if not any(one.strip() for one in typed):
                default = self._default(step)
                if default is None:
                    return
                typed = default
            if typed and self._take(step, typed):
                return

    def _default(self, step: Step) -> Sequence[str] | None:
        """Return what stands for an answer where nothing is typed; None: what is there. Empty: it could not be had."""
        if self._suggests(step):
            return self._suggested()
        if step.look is Look.FREE and self._most_capital < self.draft.settings.strategy.capital_initial:
            return [f"{self._most_capital:f}"]
        return None

    def _suggests(self, step: Step) -> bool:
        """Return whether tokens are looked for where nothing is typed: those that are set are the demo's."""
        return step.look is Look.TOKENS and has_demo_tokens(self.draft.settings)

    @property
    def _most_capital(self) -> Decimal:
        """What is set now, or what the account has free where that is less, and anything."""
        now = self.draft.settings.strategy.capital_initial
        free = (self._free or ZERO).quantize(CENT, ROUND_DOWN)
        return free if 0 < free < now else now

    def _typed(self, step: Step) -> Sequence[str]:
        if step.hidden:
            self._say("setup.present", value=self._shown(step))
            return [self._screen.ask_hidden(self.catalog.text(f"setup.hidden.{one}")) for one in step.hidden]
        value = self._most_capital if step.look is Look.FREE else "?" if self._suggests(step) else self._shown(step)
        return [self._screen.ask(self.catalog.text("setup.prompt", value=value))]

    def _take(self, step: Step, typed: Sequence[str]) -> bool:
        """Put an answer into the draft; return False, with the reason told, where it does not hold."""
        if step.look is Look.TOKENS and [one.strip() for one in typed] == ["?"]:
            typed = self._suggested()
            if not typed:
                return False
        try:
            answer = step.settled(self.draft.settings, step.parse(typed))
            draft = self.draft.answered(answer)
        except ValueError as error:
            self._screen.say(self.catalog.render(error.args[0] if error.args else str(error)))
            return False
        except InputError as error:
            self._screen.say(self.catalog.render(*error.faults))
            return False
        if not self._holds(step, draft, answer):
            return False
        self.draft = draft
        if step.look is Look.CHAT:
            return self._find_chat()
        return True

    def _find_chat(self) -> bool:
        """Find the owner's chat by what he writes to his bot; return False where the token must be typed anew."""
        settings = self.draft.settings
        try:
            name = self._world.telegram_name(settings)
            self._say("setup.write_to_bot", name=name)
            while not self._screen.ask(self.catalog.text("setup.written_to_bot")).strip():
                found = self._world.telegram_chat(settings)
                if found is None:
                    self._say("setup.nobody_wrote", name=name)
                elif self._is_yes(self._screen.ask(self.catalog.text("setup.is_it_you", person=found[1]))):
                    self.draft = self.draft.answered(Answer(secrets={"TELEGRAM_CHAT_ID": str(found[0])}))
                    return True
            self._say("setup.no_chat")
        except TelegramRefusedError as error:
            self._screen.say(self.catalog.render(*error.faults))
            return False
        except MarsShotError as error:
            self._say("setup.not_asked", why=error.message)
        return True

    def _holds(self, step: Step, draft: Draft, answer: Answer) -> bool:
        """Return whether the venue has nothing against an answer that holds by itself; what it says is shown."""
        capital = draft.settings.strategy.capital_initial
        if answer.settings.keys() & {"exchange", "mode", "quote_asset"}:
            self._free = None  # what was free is another account's, or in another money
        if "strategy.capital_initial" in answer.settings and self._free is not None and capital > self._free:
            self._say("setup.too_much", free=self._free, quote=draft.settings.quote_asset)
            return False
        if step.look is not Look.ACCOUNT:
            return True
        self._say("setup.asking_venue")
        try:
            look = self._world.account(draft.settings, self.catalog)
        except MarsShotError as error:
            self._say("setup.not_asked", why=error.message)
            return True
        for one in look.findings:
            key = "check.line_with_remedy" if one.remedy else "check.line"
            self._say(key, subject=one.subject, text=one.text, remedy=one.remedy)
        self._free = look.free
        return not look.is_bad

    def _suggested(self) -> Sequence[str]:
        """Return the tokens that the world suggests, as if they were typed; nothing, and why, where it cannot."""
        self._say("setup.looking")
        try:
            tokens = self._world.tokens(self.draft.settings, self.catalog)
        except MarsShotError as error:
            self._say("setup.type_tokens", why=error.message)
            return []
        self._say("setup.suggested", count=len(tokens), tokens=", ".join(tokens))
        return [", ".join(tokens)]

    # ------------------------------------------------------------------ words

    def _name(self, step: Step) -> str:
        return self.catalog.text(f"setup.name.{step.name}")

    def _shown(self, step: Step) -> object:
        return step.shown(self.draft.settings)

    def _say(self, key: str, /, **values: object) -> None:
        self._screen.say(self.catalog.text(key, **values))
