"""Who may know whom, where import-linter does not look: it takes no single file for a root, so here are the scripts."""

from __future__ import annotations

import ast

import pytest

from tests.helpers.imports import MODULES, all_imports, imports_at_once, imports_of

# The owner's modules, and what each of them may import besides the folders below it.
FOLDERS_BELOW = {
    "positions_store": {"core", "infra", "config", "portfolio"},
    "risk_manager": {"core"},
    "trade_executor": {"core", "infra", "config", "portfolio", "exchange", "market_data", "strategy"},
    "indicators": {"core"},
    "ml_decision": {"core", "infra", "config", "market_data", "model", "strategy"},
}
SCRIPTS_BELOW = {"trade_executor": {"positions_store", "risk_manager"}}

# What one types: they put rooms together, and no module imports them.
COMMANDS = {"backtest", "build_csv", "chaos", "dashboard", "main", "train_model"}

HEAVY = {"joblib", "matplotlib", "numpy", "pandas", "scipy", "sklearn"}

# What reaches the network, and the one place for each.
NETWORK: dict[str, set[str]] = {
    "aiohttp": set(),
    "distributed": {"marsshot.training.dask_cluster"},
    "http": {"marsshot.infra.bounded_http"},
    "httpx": set(),
    "requests": {
        "marsshot.chaos.direct_session",
        "marsshot.chaos.network",
        "marsshot.exchange.binance.connection",
        "marsshot.exchange.bitvavo.connection",
        "marsshot.infra.bounded_http",
        "marsshot.market_data.lunarcrush",
    },
    "socket": {
        "marsshot.commands.paper_setup.__main__",  # which port is free
        "marsshot.infra.bounded_http",
        "marsshot.monitoring.sd_notify",
    },  # the latter to systemd, on this machine
    "urllib3": {
        "marsshot.infra.bounded_http",
        "marsshot.market_data.public_host",
        "marsshot.market_data.coinbase",
        "marsshot.monitoring.heartbeat",
        "marsshot.monitoring.telegram_api",
    },
    "waitress": {"marsshot.dashboard.server"},
    "websockets": set(),
}


def folder_of(name: str) -> str:
    return name.split(".")[1]


def test_the_top_level_holds_the_owners_modules_and_the_commands() -> None:
    assert {name for name in MODULES if "." not in name and name != "marsshot"} == COMMANDS | set(FOLDERS_BELOW)


@pytest.mark.parametrize("module", FOLDERS_BELOW)
def test_the_owners_modules_import_what_stands_below_them(module: str) -> None:
    imported = all_imports(module)
    assert {folder_of(name) for name in imported if name.startswith("marsshot.")} <= FOLDERS_BELOW[module]
    assert {name for name in imported if name in COMMANDS | set(FOLDERS_BELOW)} <= SCRIPTS_BELOW.get(module, set())
    assert not any(name.startswith("embedded_market") for name in imported)


@pytest.mark.parametrize("module", sorted(COMMANDS))
def test_no_command_imports_another(module: str) -> None:
    assert all_imports(module) & COMMANDS == set()


@pytest.mark.parametrize(
    ("wing", "command"), [("backtesting", "backtest"), ("chaos", "chaos"), ("dashboard", "dashboard")]
)
def test_a_wing_is_known_to_its_command_alone(wing: str, command: str) -> None:
    """import-linter holds the folders to it; of the scripts, one may."""
    scripts = {name for name in MODULES if "." not in name}
    assert {name for name in scripts if any(one.startswith(f"marsshot.{wing}") for one in all_imports(name))} == {
        command
    }


@pytest.mark.parametrize("library", NETWORK)
def test_the_network_has_its_doors(library: str) -> None:
    users = {name for name in MODULES if any(one.split(".")[0] == library for one in all_imports(name))}
    assert users <= NETWORK[library]


def test_the_daemon_loads_nothing_heavy_at_once() -> None:
    """What `python main.py` loads at once brings no pandas and no scikit-learn; those come with their work."""
    loaded, waiting = set[str](), ["main"]
    while waiting:
        module = waiting.pop()
        loaded.add(module)
        assert {name.split(".")[0] for name in imports_at_once(module)}.isdisjoint(HEAVY), module
        waiting += imports_at_once(module) & MODULES.keys() - loaded
    assert {"marsshot.bot.bot", "trade_executor", "risk_manager"} <= loaded


@pytest.mark.parametrize(
    ("source", "seen"),
    [
        ("import a.b\nfrom c.d import e", {"a.b", "c.d", "c.d.e"}),
        ("def f() -> None:\n    from a import b", {"a", "a.b"}),
        ("if TYPE_CHECKING:\n    import a", {"a"}),
    ],
)
def test_every_kind_of_import_is_seen(source: str, seen: set[str]) -> None:
    assert imports_of(ast.walk(ast.parse(source))) == seen
