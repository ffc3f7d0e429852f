"""Prose steers nothing: no code of the program looks at the words of a message.

Read from the source: what compares with, or searches for, a sentence; and, in the rooms that decide, what looks at the
beginning, the end or the parts of any text. What does so for another reason is listed, with that reason.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from marsshot.core.catalog import LANGUAGES, load_texts
from marsshot.core.reasons import DecisionReason, DifferenceKind, OrderReason, SkipReason, UnsoldReason
from marsshot.market_data.coinbase import MissingPriceReason
from tests.helpers.builders import PROGRAM, ROOT
from tests.helpers.imports import module_name, nodes_of, tree_of

DECIDING = ("strategy", "bot", "portfolio", "core", "exchange", "commands", "monitoring", "market_data")
SCRIPTS = ("trade_executor.py", "risk_manager.py", "positions_store.py", "ml_decision.py", "main.py")
LOOKS = {"startswith", "endswith", "removeprefix", "removesuffix", "partition", "rpartition", "find", "split"}
PATTERNS = {"match", "fullmatch", "search", "split", "findall"}

# By file: the functions that take a text apart, and why that text is no message.
ALLOWED = {
    "marsshot/exchange/binance/trading_rules.py": {"unreadable_rules": "the name of a pair"},
    "marsshot/commands/command_line.py": {"_help_texts": "an option that the owner typed"},
    "marsshot/bot/scoring_process.py": {"result": "bytes of a pickle"},
    "marsshot/bot/journal.py": {
        "_equity_rows": "a row of a CSV file",
        "_replace_former_header": "the first line of a CSV file",
        "_last_moment": "a row of a CSV file",
        "_without_last": "a row of a CSV file",
    },
    "marsshot/bot/control_files.py": {
        "owner_requests": "the end of a file's name",
        "pending_commands": "the end of a file's name",
    },
    "marsshot/portfolio/cash_flows_file.py": {"add_missing_rows": "a row of a CSV file"},
    "marsshot/commands/checking/venues.py": {"_no_answer": "blanks are joined for one line"},
    "marsshot/core/catalog.py": {
        "_number": "the two words that go with a number",
    },
    "marsshot/core/reasons.py": {"initials": "the value of a reason"},
    "marsshot/exchange/binance/exchange.py": {"__init__": "the scheme of an address"},
    "marsshot/exchange/binance/responses.py": {"_lent": "the name of an asset"},
    "marsshot/exchange/bitvavo/exchange.py": {"__init__": "the scheme of an address"},
    "marsshot/exchange/bitvavo/responses.py": {"_status": "the name of a state, which is told in several forms"},
    "marsshot/portfolio/trades_file.py": {
        "fees": "a cell of trades.csv",
        "base_asset_of": "the name of a pair",
        "has_our_columns": "the first line of a CSV file",
    },
    "marsshot/market_data/bar_cache.py": {"_parse": "bytes of a cache file"},
    "marsshot/commands/paper_setup/liquid_tokens.py": {
        "coins_of_their_own": "the name of an asset",
        "_is_derived": "the name of an asset",
        "": "a list of names",
    },
    "marsshot/commands/setup/config_text.py": dict.fromkeys(
        ("with_values", "_at_top", "_in_section", "_spaced", "_replaced"), "the text of config.yaml"
    ),
    "marsshot/commands/setup/steps.py": dict.fromkeys(("_tokens", "amount_of"), "what the owner types"),
    "marsshot/market_data/public_host.py": {"__init__": "the scheme of an address"},
    "marsshot/market_data/coinbase.py": {"__init__": "the scheme of an address"},
    "marsshot/monitoring/telegram_api.py": {"__init__": "the scheme of an address"},
    "marsshot/monitoring/sd_notify.py": {
        "__init__": "the address of a socket",
        "status": "blanks are joined for one line",
    },
    "marsshot/portfolio/serialization.py": {
        "topic_from_text": "a key of the book",
        "outcome_from_sentence": "a book of a version that kept sentences",
    },
}
# Venues tell some refusals apart by their own words alone: their folder turns those into reasons, and nobody else.
CODES_WITH_BLANKS = {
    "power cut",
    "disk fault",
    "frame-ancestors 'none'",
}  # names of disasters; a part of an HTTP header
VENUES = ("marsshot/exchange/binance/errors.py", "marsshot/market_data/lunarcrush.py")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def functions(tree: ast.Module) -> Iterator[tuple[str, ast.AST]]:
    """Yield every node with the name of the innermost function that it stands in."""

    def walk(node: ast.AST, within: str) -> Iterator[tuple[str, ast.AST]]:
        for child in ast.iter_child_nodes(node):
            name = child.name if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) else within
            yield name, child
            yield from walk(child, name)

    return walk(tree, "")


@cache
def functions_of(module: str) -> tuple[tuple[str, ast.AST], ...]:
    return tuple(functions(tree_of(module)))


def takes_text_apart(node: ast.AST) -> bool:
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
        return False
    of_re = isinstance(node.func.value, ast.Name) and node.func.value.id == "re"
    return node.func.attr in (PATTERNS if of_re else LOOKS)


def text_of(node: ast.AST) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def compares_words(node: ast.AST) -> bool:
    """Return whether a comparison has a sentence (a text with a blank) in it, or searches the words of an error."""
    if not isinstance(node, ast.Compare):
        return False
    parts = [one for side in (node.left, *node.comparators) for one in ast.walk(side)]
    sentences = [text for text in map(text_of, parts) if " " in text.strip() and text not in CODES_WITH_BLANKS]
    searches = any(isinstance(one, ast.In | ast.NotIn) for one in node.ops)
    in_str = searches and any(
        isinstance(side, ast.Call) and isinstance(side.func, ast.Name) and side.func.id == "str"
        for side in node.comparators
    )
    return bool(sentences) or in_str


def found_in(source: str) -> list[str]:
    """Return what a source does with words, for the tests of the reader itself."""
    nodes = [node for _, node in functions(ast.parse(source))]
    return [ast.unparse(node) for node in nodes if takes_text_apart(node) or compares_words(node)]


@pytest.mark.parametrize(
    "source",
    [
        "outcome.startswith('left')",
        "outcome.removeprefix('left: ')",
        "kind, _, rest = topic.partition('.')",
        "'NOTIONAL' in str(error)",
        "'does not answer' in quote.note",
        "moment == 'due now'",
        "re.split('; ', sentence)",
    ],
)
def test_the_reader_finds_what_looks_at_words(source: str) -> None:
    assert len(found_in(source)) == 1


@pytest.mark.parametrize(
    "source",
    [
        "reason is SkipReason.PAUSED",
        "settings.mode == 'demo'",
        "'BTC' in prices",
        "error.reason in REASONS",
        "' '.join(a)",
    ],
)
def test_the_reader_lets_codes_and_values_be(source: str) -> None:
    assert found_in(source) == []


def test_no_code_compares_or_searches_sentences() -> None:
    wrong = [
        f"{name_of(path)}:{getattr(node, 'lineno', 0)} {ast.unparse(node)}"
        for path in PROGRAM
        if name_of(path) not in VENUES
        for _, node in functions_of(module_name(path))
        if compares_words(node)
    ]
    assert wrong == []


def deciding_files() -> list[Path]:
    return [path for path in PROGRAM if name_of(path) in SCRIPTS or is_in(path, DECIDING)]


def is_in(path: Path, rooms: tuple[str, ...]) -> bool:
    return name_of(path).startswith(tuple(f"marsshot/{room}/" for room in rooms))


def taken_apart() -> set[tuple[str, str]]:
    """Return the files and functions, of those that decide, that take a text apart."""
    return {
        (name_of(path), function)
        for path in deciding_files()
        if name_of(path) not in VENUES
        for function, node in functions_of(module_name(path))
        if takes_text_apart(node)
    }


def test_where_decisions_are_made_no_text_is_taken_apart() -> None:
    allowed = {(file, function) for file, reasons in ALLOWED.items() for function in reasons}
    found = taken_apart()
    assert found - allowed == set(), "mend it, or list it with its reason"
    assert allowed - found == set(), "take it off the list"


def test_nobody_but_binances_folder_knows_the_names_of_its_filters() -> None:
    """The wings that stand in for Binance, or upset it, speak its language."""
    for path in deciding_files():
        if not is_in(path, ("exchange/binance",)):
            texts = {text_of(node) for node in nodes_of(module_name(path))}
            assert not any("NOTIONAL" in text or "LOT_SIZE" in text for text in texts), name_of(path)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_has_its_words(language: str) -> None:
    texts = load_texts("fr" if language == "fr" else "en")
    tables = (OrderReason, DecisionReason, SkipReason, UnsoldReason, DifferenceKind)
    keys = {one.text_key for table in tables for one in table if one is not DifferenceKind.UNNAMED}
    assert keys | {f"coinbase.{one}" for one in MissingPriceReason} <= texts.keys()
