"""Reads config.yaml and says what is wrong with it: all faults at once, one line each, never a secret's value.

`read_settings` raises InputError (exit code 2); `language_of` finds the language to say that in. What the keys may hold
stands in settings.py and sections.py.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from marsshot.config.bot_files import KEYS
from marsshot.config.exchanges import DEFAULT_EXCHANGE, EXCHANGE_FACTS, ExchangeName
from marsshot.config.faults import displayed_key, fault_lines
from marsshot.config.keys_file import keys_beside
from marsshot.config.secret_values import NOTIFY_VARIABLE, SECRET_VARIABLES, plain_secret
from marsshot.config.settings import Settings
from marsshot.core.catalog import LANGUAGES, Language, LocalizedText, catalog_of, name_exchange
from marsshot.core.errors import InputError, MarsShotError

# What a tag that does not fit its value, or a number that is far too long, ends with.
_NOT_A_VALUE = (ValueError, TypeError, AttributeError, KeyError, ArithmeticError, RecursionError)


class _ConfigLoader(yaml.SafeLoader):
    """YAML with numbers as Decimal of their text, only true/false as booleans, and no key given twice.

    In lists and as keys, capitals and digits are a ticker, where YAML sees NULL or TRUE, too.
    """

    def construct_sequence(self, node: yaml.SequenceNode, deep: bool = False) -> list[Any]:
        for entry in node.value:
            _read_as_ticker(entry)
        return list(super().construct_sequence(node, deep))

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[object] = set()
        for key_node, _ in node.value:
            _read_as_ticker(key_node)
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str | int | Decimal | bool):
                raise _faulty(LocalizedText("fault.config.key_not_plain"), key_node)
            if key in seen:
                raise _faulty(LocalizedText("fault.twice", key=displayed_key(key)), key_node)
            seen.add(key)
        return super().construct_mapping(node, deep)


def _read_as_ticker(node: yaml.Node) -> None:
    """Let a plain word of capitals and digits be a text."""
    is_plain = isinstance(node, yaml.ScalarNode) and node.style is None and node.tag in _TAGS_OF_TICKERS
    if is_plain and re.fullmatch(r"[A-Z0-9]+", node.value):
        node.tag = "tag:yaml.org,2002:str"


_TAGS_OF_TICKERS = {f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float")}


def _faulty(problem: LocalizedText, node: yaml.Node) -> yaml.MarkedYAMLError:
    return yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


_ConfigLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":bool", ":float", ":int", ":timestamp"))]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _tag, _pattern, _first in (
    ("tag:yaml.org,2002:bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("tag:yaml.org,2002:int", r"^[-+]?[0-9]+$", "-+0123456789"),
    ("tag:yaml.org,2002:float", r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", "-+0123456789."),
):
    _ConfigLoader.add_implicit_resolver(_tag, re.compile(_pattern), list(_first))
_ConfigLoader.add_constructor("tag:yaml.org,2002:float", lambda _, node: Decimal(str(node.value)))
_ConfigLoader.add_constructor("tag:yaml.org,2002:int", lambda _, node: int(str(node.value)))


# In every form that YAML has for it: in quotes or not, in braces, with a tag, on the next line.
_LANGUAGE = re.compile(
    r"""(?:^\ufeff?|[{,][ \t]*)["']?language["']?[ \t]*:\s*(?:(?:!\S*|&\w+)\s+)*["']?([a-z]+)\b""", re.MULTILINE
)


def read_settings(path: Path, changes: Mapping[str, str] | None = None) -> Settings:
    """Read and check config.yaml. Raises InputError with one line per fault.

    changes: values to put in place of the file's, as it would write them, by key: strategy.stop_loss_pct.
    """
    content = _read_yaml(path)
    for key, text in (changes or {}).items():
        content = _with_change(content, key.split("."), _parsed(text, key))
    settings = check_settings(content, path, {**keys_beside(path.with_name(KEYS)), **os.environ})
    name_exchange(settings.exchange_facts.name)
    return settings


def settings_of_text(text: str, path: Path, environment: Mapping[str, str]) -> Settings:
    """Check settings that are in no file yet; path: what faults name. Raises InputError with one line per fault."""
    settings = check_settings(_parsed_yaml(text, path), path, environment)
    name_exchange(settings.exchange_facts.name)
    return settings


def language_of(path: Path) -> Language:
    """Return the language that config.yaml names, however faulty it is otherwise; English where it names none."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "en"
    named = _LANGUAGE.search(text)
    return next((language for language in LANGUAGES if named and language == named[1]), "en")


def localized_error(error: MarsShotError, path: Path) -> str:
    """Return what an error says, in the language that config.yaml names."""
    return catalog_of(language_of(path)).render(*error.faults)


def _with_change(content: object, keys: list[str], value: object) -> dict[Any, Any]:
    held = _as_mapping(content)
    if len(keys) == 1:
        return {**held, keys[0]: value}
    return {**held, keys[0]: _with_change(held.get(keys[0]), keys[1:], value)}


def _parsed(text: str, key: str) -> object:
    try:
        return yaml.load(text, Loader=_ConfigLoader)  # noqa: S506 - a SafeLoader, made stricter
    except (yaml.YAMLError, *_NOT_A_VALUE):
        raise InputError(LocalizedText("fault.config.no_value", key=key, text=repr(text[:40]))) from None


def check_settings(content: object, path: Path, environment: Any) -> Settings:
    """Check what the file holds, the environment's secrets put over it. Raises InputError."""
    if not isinstance(content, dict):
        raise InputError(LocalizedText("fault.config.no_settings", path=path))
    content, odd_variables = _with_secrets_of(environment, content)
    if urls := environment.get(NOTIFY_VARIABLE, "").strip():
        content = {**content, "notify": re.split(r"[\s,]+(?=[a-z][a-z0-9]*://)", urls)}
    faults = _list_faults(content) + _pair_faults(content)
    try:
        settings = Settings.model_validate(content)
    except ValidationError as error:
        faults = fault_lines(error, content) + faults
    else:
        if settings.test_host and settings.mode == "paper":
            faults.append(LocalizedText("fault.config.test_host_in_paper", host=settings.test_host))
    if faults := faults + odd_variables:
        raise InputError(*(LocalizedText("fault.in_file", path=path, fault=line) for line in faults))
    has_test_money = settings.mode == "live" and settings.test_host
    return settings.model_copy(update={"mode": "test"}) if has_test_money else settings


def _with_secrets_of(environment: Any, content: dict[Any, Any]) -> tuple[dict[Any, Any], list[str]]:
    """Return what the file holds with the environment's secrets in it, and what is wrong with these, a line each."""
    faults: list[str] = []
    for variable, (section, key) in SECRET_VARIABLES.items():
        try:
            value = plain_secret(environment.get(variable, ""))
        except ValueError as error:
            faults.append(LocalizedText("fault.config.variable", variable=variable, allowed=error.args[0]))
            continue
        held = content.get(section)
        if value and (held is None or isinstance(held, dict)):
            content = {**content, section: {**(held or {}), key: value}}
    return content, faults


def _list_faults(content: Mapping[str, Any]) -> list[str]:
    """Return what is wrong between the entries of the token lists, as far as they can be read."""
    faults: list[str] = []
    for key in ("tokens_daily", "training_tokens"):
        tokens = [token for token in _as_list(content.get(key)) if isinstance(token, str)]
        faults += [
            LocalizedText("fault.config.token_twice", key=key, token=token, count=n)
            for token, n in Counter(tokens).items()
            if n > 1
        ]
    daily = {token for token in _as_list(content.get("tokens_daily")) if isinstance(token, str)}
    facts = EXCHANGE_FACTS[_exchange_of(content)]
    quote = content.get("quote_asset", facts.quote_assets[0])
    if isinstance(quote, str) and quote in daily:
        faults.append(LocalizedText("fault.config.quote_in_tokens", quote=quote))
    names = _as_mapping(content.get("symbols"))
    assets = Counter(str(_as_mapping(names.get(token)).get(_exchange_of(content)) or token) for token in daily)
    return faults + [
        LocalizedText("fault.config.same_pair", count=n, asset=asset) for asset, n in assets.items() if n > 1
    ]


def _exchange_of(content: Mapping[str, Any]) -> ExchangeName:
    """Return the exchange that the file names; the usual one where it names none that there is."""
    named = content.get("exchange")
    return next((name for name in EXCHANGE_FACTS if name == named), DEFAULT_EXCHANGE)


def _pair_faults(content: Mapping[str, Any]) -> list[str]:
    """Return what is nonsense about two values together, each of which may be right alone."""
    strategy = _as_mapping(content.get("strategy"))
    sell, buy = strategy.get("sell_threshold"), strategy.get("buy_threshold")
    if isinstance(sell, bool) or isinstance(buy, bool):
        return []
    if isinstance(sell, Decimal | int) and isinstance(buy, Decimal | int) and sell >= buy:
        return [LocalizedText("fault.config.thresholds", sell=str(sell), buy=str(buy))]
    return []


def _as_list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _as_mapping(value: object) -> Mapping[Any, Any]:
    return value if isinstance(value, dict) else {}


def _read_yaml(path: Path) -> object:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(LocalizedText("fault.config.no_file", path=path)) from None
    except OSError as error:
        raise InputError(LocalizedText("fault.file.unreadable", path=path, why=error.strerror)) from None
    except UnicodeDecodeError:
        raise InputError(LocalizedText("fault.config.no_text", path=path)) from None
    return _parsed_yaml(text, path)


def _parsed_yaml(text: str, path: Path) -> object:
    try:
        return yaml.load(text, Loader=_ConfigLoader)  # noqa: S506 - a SafeLoader, made stricter
    except yaml.MarkedYAMLError as error:
        raise InputError(_yaml_fault(error, path)) from None
    except yaml.YAMLError as error:
        raise InputError(LocalizedText("fault.config.no_yaml", path=path, problem=str(error).splitlines()[0])) from None
    except _NOT_A_VALUE:
        raise InputError(LocalizedText("fault.config.bad_tag", path=path)) from None


def _yaml_fault(error: yaml.MarkedYAMLError, path: Path) -> str:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 1
    if isinstance(error.problem, LocalizedText):
        return LocalizedText("fault.in_line", path=path, line=line, fault=error.problem)
    # What stands in quotes is taken from the file, and may be a key with a blank missing before it.
    problem = re.sub(r"'[^'<\s]{4,}'", "'...'", error.problem or error.context or "is not YAML")
    return LocalizedText("fault.config.bad_line", path=path, line=line, problem=problem)
