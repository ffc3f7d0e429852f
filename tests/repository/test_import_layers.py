"""Who may import whom. Arrows point down; pure rooms touch nothing outside; one room reads the clock."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.helpers.builders import ROOT

# From the ground up. A room imports from its own floor and from those below it. A new room has to be given its place.
LAYERS: dict[str, set[str]] = {
    "values": {
        "charts",
        "check_findings",
        "decisions",
        "domain",
        "errors",
        "exchange",
        "page",
        "training_tokens",
        "version",
        "words",
    },
    "rules": {
        "binance_answers",
        "binance_errors",
        "binance_rules",
        "book_format",
        "bookkeeping",
        "daily_plan",
        "day_statistics",
        "evidence",
        "indicators",
        "interval_charts",
        "outcomes",
        "reconciliation",
        "risk_manager",
        "splits",
        "accounts",
        "gains",
        "trade_records",
        "verdict",
    },
    "edges": {
        "bar_cache",
        "binance_client",
        "binance_exchange",
        "binance_wire",
        "clock",
        "cluster",
        "coinbase",
        "config_faults",
        "config_file",
        "control",
        "csv_text",
        "daily_points",
        "disk",
        "euro_rates",
        "events",
        "features",
        "lunarcrush",
        "memory",
        "model_check",
        "model_files",
        "pacing",
        "paper_exchange",
        "positions_store",
        "price_round",
        "sd_notify",
        "settings",
        "side_by_side",
        "terminal",
        "trust",
        "training_data",
    },
    "work": {
        "bot",
        "hearing",
        "daily_pass",
        "diary",
        "differences",
        "forest_search",
        "heartbeat",
        "messages",
        "messenger",
        "ml_decision",
        "model_gate",
        "model_page",
        "model_report",
        "model_table",
        "order_life",
        "pass_words",
        "price_desk",
        "reconciler",
        "scorer",
        "scoring_desk",
        "trade_executor",
        "why",
    },
    "house": {"demo", "demo_view", "loop", "one_shot", "status", "status_view", "summary", "surroundings", "wiring"},
    "commands": {
        "backtest",
        "beside",
        "build_csv",
        "chaos",
        "check",
        "check_histories",
        "check_venues",
        "dashboard",
        "export",
        "healthy",
        "main",
        "notify_test",
        "owner",
        "plan_preview",
        "send_messages",
        "train_model",
    },
}

# Values in, values out: the rooms that these may know, and the libraries that reach nothing outside.
PURE: dict[str, set[str]] = {
    "check_findings": set(),
    "decisions": set(),
    "domain": {"decisions"},
    "training_tokens": set(),
    "exchange": {"domain", "errors"},
    "errors": set(),
    "binance_answers": {"domain", "errors", "binance_rules", "book_format", "words"},
    "binance_errors": {"errors", "words"},
    "binance_rules": {"domain", "words"},
    "book_format": {"domain", "errors", "words"},
    "bookkeeping": {"domain", "book_format"},
    "daily_plan": {"decisions", "domain", "words"},
    "day_statistics": set(),
    "indicators": set(),
    "reconciliation": {"domain", "book_format", "bookkeeping", "words"},
    "risk_manager": {"domain"},
    "splits": set(),
    "version": set(),
    "accounts": {"book_format", "domain", "gains", "trade_records"},
    "gains": {"domain"},
    "trade_records": {"domain", "errors", "gains", "words"},
    "verdict": set(),
    "words": set(),
}
HARMLESS = set(
    "__future__ collections dataclasses datetime decimal enum functools json numpy pydantic pydantic_core re "
    "typing".split()
)
# The catalogue is a part of the program, as its code is: words.py reads it, and by which command the owner calls the
# program; that is all that it touches.
READS_CATALOG = {"words": {"os", "pathlib", "string", "yaml"}}

# What reaches the network, and the one room for each.
NETWORK: dict[str, set[str]] = {
    "aiohttp": set(),
    "binance": {"binance_client"},
    "distributed": {"cluster"},
    "flask": set(),
    "http": set(),
    "httpx": set(),
    "requests": {"binance_exchange", "binance_wire", "lunarcrush", "trust"},
    "socket": {"sd_notify"},  # to systemd on this machine
    "urllib3": {"coinbase", "heartbeat"},
    "waitress": set(),
    "websockets": set(),
}

READS_THE_CLOCK = {
    "clock",
    "binance_wire",  # python-binance signs with the machine's own time; the offset given to it cancels that out
}

HEAVY = {"joblib", "matplotlib", "numpy", "pandas", "scipy", "sklearn"}

MODULES = sorted(path.stem for path in ROOT.glob("*.py"))


@cache
def tree_of(room: str) -> ast.Module:
    return ast.parse((ROOT / f"{room}.py").read_text(encoding="utf-8"))


def modules_of(nodes: Iterator[ast.AST]) -> set[str]:
    """Return the first names of what is imported: `a` of `import a.b` and of `from a.b import c`."""
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "no relative imports: the house is flat"
            found.add(node.module or "")
    return {name.split(".")[0] for name in found}


def module_imports(room: str) -> set[str]:
    """Return everything that a room imports, wherever in it, for its types too."""
    return modules_of(ast.walk(tree_of(room)))


def module_level_imports(room: str) -> set[str]:
    """Return what is imported together with the room: not inside functions, and not for types alone."""
    return modules_of(iter(tree_of(room).body))


def imported_modules_of(room: str) -> set[str]:
    return module_imports(room) & set(MODULES)


def layer_of(room: str) -> int:
    (floor,) = (number for number, rooms in enumerate(LAYERS.values()) if room in rooms)
    return floor


def test_every_room_has_one_place_in_the_house() -> None:
    places = [room for rooms in LAYERS.values() for room in rooms]
    assert len(places) == len(set(places))
    assert set(MODULES) <= set(places)


@pytest.mark.parametrize("room", MODULES)
def test_arrows_point_down(room: str) -> None:
    assert {other for other in imported_modules_of(room) if layer_of(other) > layer_of(room)} == set()


def test_no_room_leads_back_to_itself() -> None:
    TopologicalSorter({room: imported_modules_of(room) for room in MODULES}).prepare()


@pytest.mark.parametrize("room", PURE)
def test_a_pure_room_knows_only_pure_rooms(room: str) -> None:
    assert imported_modules_of(room) <= PURE[room]
    assert PURE[room] <= PURE.keys()


@pytest.mark.parametrize("room", PURE)
def test_a_pure_room_touches_nothing_outside(room: str) -> None:
    assert module_imports(room) - set(MODULES) <= HARMLESS | READS_CATALOG.get(room, set())
    calls = {
        node.func.id for node in ast.walk(tree_of(room)) if isinstance(node, ast.Call) and hasattr(node.func, "id")
    }
    assert calls.isdisjoint({"open", "print", "input", "exec", "eval"})


@pytest.mark.parametrize("library", NETWORK)
def test_the_network_has_its_doors(library: str) -> None:
    assert {room for room in MODULES if library in module_imports(room)} <= NETWORK[library]


def test_only_the_surroundings_know_of_the_embedded_market() -> None:
    assert {room for room in MODULES if "embedded_market" in module_imports(room)} == {"surroundings"}


@pytest.mark.parametrize(
    ("package", "command"), [("replay", "backtest"), ("disasters", "chaos"), ("panel", "dashboard")]
)
def test_a_package_is_known_to_its_command_alone(package: str, command: str) -> None:
    assert {room for room in MODULES if package in module_imports(room)} == {command}


def test_the_pages_know_nothing_that_trades() -> None:
    """They read files; of the rooms that work with them, those that tell are within their reach, and no other."""
    known = {name for path in (ROOT / "panel").glob("*.py") for name in imports_in(path)} & set(MODULES)
    assert known & (LAYERS["work"] | LAYERS["house"] | LAYERS["commands"]) == {"diary", "status", "status_view"}


def imports_in(path: Path) -> set[str]:
    return modules_of(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def test_the_embedded_market_knows_no_room() -> None:
    """It stands for the outside world; sharing code with the bot would hide the faults of both."""
    for path in (ROOT / "embedded_market").rglob("*.py"):
        names = modules_of(node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if _absolute(node))
        assert names.isdisjoint(MODULES), path


def _absolute(node: ast.AST) -> bool:
    return not (isinstance(node, ast.ImportFrom) and node.level)


def test_the_daemon_stays_small() -> None:
    """What `python main.py` loads at once brings no pandas and no scikit-learn; those come with their work."""
    loaded, waiting = set[str](), ["main"]
    while waiting:
        room = waiting.pop()
        loaded.add(room)
        assert module_level_imports(room).isdisjoint(HEAVY), room
        waiting += module_level_imports(room) & set(MODULES) - loaded
    assert {"bot", "trade_executor", "risk_manager"} <= loaded


# --------------------------------------------------------------------------- what only one room does

_CLOCKS = {("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today"), ("time", "time")}


def _clock_calls(room: str) -> list[int]:
    """Return the lines that read the machine's date and time. time.monotonic measures a span: that is no clock."""
    lines = []
    for node in ast.walk(tree_of(room)):
        if isinstance(node, ast.Attribute):
            owner = node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
            if (owner, node.attr.removesuffix("_ns")) in _CLOCKS:
                lines.append(node.lineno)
        elif isinstance(node, ast.ImportFrom) and node.module == "time":
            lines += [node.lineno for alias in node.names if alias.name.removesuffix("_ns") == "time"]
    return lines


@pytest.mark.parametrize(
    "room",
    [room for room in MODULES if room not in READS_THE_CLOCK],
)
def test_nobody_else_reads_a_clock(room: str) -> None:
    assert _clock_calls(room) == []


@pytest.mark.parametrize("room", sorted(READS_THE_CLOCK))
def test_those_who_may_read_a_clock_do(room: str) -> None:
    assert _clock_calls(room) != []


def _catches_everything(handler: ast.ExceptHandler) -> bool:
    """Return whether a handler takes any exception and goes on.

    One that ends in `raise` only tidies up, one that ends in `set_exception` hands it to whoever waits for an answer.
    """
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    broad = any(kind is None or getattr(kind, "id", "") in {"Exception", "BaseException"} for kind in kinds)
    last = handler.body[-1]
    raises = isinstance(last, ast.Raise) and last.exc is None
    hands_on = isinstance(last, ast.Expr) and ".set_exception(" in ast.unparse(last)
    return broad and not raises and not hands_on


def test_one_place_catches_everything_and_it_is_the_loop() -> None:
    handlers = [
        room
        for room in MODULES
        for node in ast.walk(tree_of(room))
        if isinstance(node, ast.ExceptHandler) and _catches_everything(node)
    ]
    assert handlers == ["loop"]


@pytest.mark.parametrize("room", [room for room in MODULES if room not in LAYERS["commands"] | {"status"}])
def test_only_commands_print(room: str) -> None:
    """Everybody else tells it to events.py, which knows the secrets to blank out."""
    prints = [
        node.lineno
        for node in ast.walk(tree_of(room))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert prints == []


# --------------------------------------------------------------------------- that this page can see


@pytest.mark.parametrize(
    ("source", "seen"),
    [
        ("import a.b\nfrom c.d import e", {"a", "c"}),
        ("def f() -> None:\n    from a import b", {"a"}),
        ("if TYPE_CHECKING:\n    import a", {"a"}),
    ],
)
def test_every_kind_of_import_is_seen(source: str, seen: set[str]) -> None:
    assert modules_of(ast.walk(ast.parse(source))) == seen


def test_the_rooms_are_where_they_are_looked_for() -> None:
    assert {"domain", "main", "risk_manager"} <= set(MODULES)
    assert not (Path(ROOT) / "domain").exists()
