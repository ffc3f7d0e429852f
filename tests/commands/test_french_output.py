"""`language: fr`: what the commands print is French, in the good case and with each fault; bot.log stays English."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

import main
from marsshot.bot.bootstrap import console_catalog
from marsshot.bot.control_files import ControlFiles
from marsshot.commands.command_line import COMMANDS
from marsshot.config.loader import check_settings, language_of, read_settings
from marsshot.core import errors
from marsshot.core.catalog import Catalog, LocalizedText, load_texts
from marsshot.core.errors import InputError
from marsshot.core.exit_settings import ExitSettings
from marsshot.infra.atomic_files import Disk
from marsshot.infra.clock import SystemClock
from marsshot.infra.console import PlainTerminal, Terminal
from marsshot.infra.event_log import log_info, start_log, stop_log
from positions_store import Store, writer_lock
from tests.helpers.builders import PROGRAM, a_book, a_trade, seed_content, some_settings
from tests.helpers.french_text import is_french, is_wholly_french, plain, words_of_page
from tests.helpers.imports import module_name, nodes_of
from tests.helpers.process_harness import ProcessHarness, open_process_harness

D = Decimal


# --------------------------------------------------------------------------- what is English


def test_english_is_found() -> None:
    with pytest.raises(AssertionError):
        is_french("config.yaml : strategy.stop_los: is not a key of this file; mind the spelling, or take it out")


@pytest.mark.parametrize("text", ["Données : 12 rows of 3 tokens", '<svg aria-label="Worth over time"></svg>'])
def test_english_that_the_catalogue_does_not_know_is_found_too(text: str) -> None:
    with pytest.raises(AssertionError):
        is_wholly_french(words_of_page(text))


# --------------------------------------------------------------------------- the faults of config.yaml


def with_value(key: str, value: Any) -> dict[str, Any]:
    content: dict[str, Any] = seed_content()
    if not key:  # several at once, which do not go together
        return {**content, **value}
    *sections, last = key.split(".")
    within = content
    for section in sections:
        within[section] = dict(within.get(section, {}))
        within = within[section]
    within[last] = value
    return content


FAULTS: list[tuple[str, Any]] = [
    *((f"strategy.{key}", D(-1)) for key in ExitSettings.model_fields),
    ("mode", "Demo"),
    ("language", "de"),
    ("strategy", []),
    ("strategy.big_gain_exception_pct", D(1)),
    ("strategy.buy_threshold", D(2)),
    ("strategy.sell_threshold", D(-1)),
    ("strategy.sell_threshold", D("0.9")),
    ("strategy.capital_initial", D(0)),
    ("strategy.capital_initial", D("1E+12")),
    ("strategy.capital_initial", "1000"),
    ("strategy.check_interval_seconds", 0),
    ("strategy.check_interval_seconds", D("1.5")),
    ("strategy.stop_los", D(1)),
    ("symbols", []),
    ("symbols", {"FET": "ASI"}),
    ("symbols", {"FET": {"binance": "OP"}}),
    ("logging", None),
    ("logging.file", ""),
    ("logging.file", 7),
    ("logging.file", "trades.csv"),
    ("tokens_daily", "FET"),
    ("tokens_daily", []),
    ("tokens_daily", ["OP", "fet"]),
    ("tokens_daily", ["FET", "FET"]),
    ("tokens_daily", ["USDT"]),
    ("lunarcrush", {"sk-0123": ""}),
    ("lunarcrush.api_key", "two words"),
    ("lunarcrush.api_key", 7),
    ("quote_asset", "EUR"),
    ("", {"exchange": "bitvavo", "quote_asset": "USDT"}),
    ("symbols", {"FET": {"binance": None}}),
    ("lunarcrush.base_url", "lunarcrush.com"),
    ("lunarcrush.base_url", "https://lunarcrush.com:port"),
    ("coinbase.base_url", "http://api.coinbase.com"),
    ("coinbase.base_url", "https://api.coinbase.com/v2"),
    ("coinbase.base_url", "https://me:word@api.coinbase.com"),
    ("heartbeat.ping_url", "hc-ping.com"),
    ("strategy.max_share_per_token", D(2)),
    ("strategy.btc_trend_days", 5),
    ("strategy.cooldown_days", -1),
    ("strategy.max_drawdown_pause", D(2)),
    ("timezone", "Mars/Olympus"),
    ("telegram.token", "no-token"),
    ("telegram.chat_id", "-5"),
    ("notify", ["no address"]),
    ("notify", ["address"]),
    ("strategy", {**seed_content()["strategy"], 1: D(2)}),
]
# The one limit from below that no key of today has; the others are reached through FAULTS.
NOT_REACHED = {"less_than"}


def faults_of(content: object) -> tuple[str, ...]:
    with pytest.raises(InputError) as refused:
        check_settings(content, Path("config.yaml"), {})
    return refused.value.faults


def keys_in(text: object) -> Iterator[str]:
    if isinstance(text, LocalizedText):
        yield text.key
        for value in text.values.values():
            yield from keys_in(value)


@pytest.mark.parametrize(("key", "value"), FAULTS)
def test_a_fault_of_the_settings_is_told_in_french(key: str, value: Any) -> None:
    for fault in faults_of(with_value(key, value)):
        assert is_french(Catalog("fr").render(fault))


def test_every_kind_of_fault_is_among_them() -> None:
    reached = {one for key, value in FAULTS for fault in faults_of(with_value(key, value)) for one in keys_in(fault)}
    for kind in ("allowed", "meaning", "needed"):
        there = {key for key in load_texts("en") if key.startswith(f"fault.config.{kind}.")}
        assert there - reached == {f"fault.config.{kind}.{one}" for one in NOT_REACHED if kind == "allowed"}


def test_a_number_is_told_as_the_file_writes_it() -> None:
    (fault,) = faults_of(with_value("strategy.sell_threshold", D("0.90")))
    told = plain(Catalog("fr").render(fault))
    assert told.startswith("config.yaml : strategy.sell_threshold : 0.90 ne convient pas ; il doit être inférieur à")


@pytest.mark.parametrize("key", sorted(seed_content()))
def test_a_key_that_is_missing_is_told_in_french(key: str) -> None:
    content = seed_content()
    del content[key]
    if key in {"mode", "tokens_daily", "strategy"}:
        (fault,) = faults_of(content)
        assert plain(Catalog("fr").render(fault)).startswith(f"config.yaml : {key} : manque")
        assert is_french(Catalog("fr").render(fault))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("mode: live: paper\n", "ligne 2 : n'est pas du YAML correct"),
        ("mode: live\nmode: paper\n", "ligne 3 : mode figure deux fois"),
        ("mode: live\nsk-0123456789: 1\nsk-0123456789: 1\n", "ligne 4 : une clé (non montrée) figure deux fois"),
        ("[a]: 1\n", "ligne 2 : une clé doit être un simple mot"),
        ("mode: !!int x\n", "n'est pas du YAML : une valeur ne va pas avec son étiquette"),
        ("mood: good\n", "mood : n'est pas une clé de ce fichier"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_in_the_language_that_it_names(
    text: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(f"language: fr\n{text}")
    assert main.main(["status", "--config", str(path)]) == 2
    shown = plain(capsys.readouterr().err)
    assert told in shown
    assert is_french(shown)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("language: fr\n", "fr"),
        ("mode: [\nlanguage:   'fr'  # le mien\n", "fr"),
        ('language: "fr"', "fr"),
        ('"language" : fr\n', "fr"),
        ("\ufefflanguage: fr\n", "fr"),
        ("{mode: demo, language: fr}\n", "fr"),
        ("language: !!str fr\n", "fr"),
        ("language:\n  fr\n", "fr"),
        ("language: de\n", "en"),
        ("language: french\n", "en"),
        ("  language: fr\n", "en"),
        ("# language: fr\n", "en"),
        ("", "en"),
    ],
)
def test_the_language_is_found_in_a_faulty_file(text: str, language: str, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(text.encode() + b"\xff")
    assert language_of(path) == language
    assert language_of(tmp_path / "absent.yaml") == "en"


# --------------------------------------------------------------------------- the commands


@pytest.fixture
def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ProcessHarness]:
    monkeypatch.chdir(tmp_path)
    with open_process_harness(tmp_path) as harness:
        harness.config["language"] = "fr"
        harness.write_config()
        yield harness


WORDS_OF_OTHERS = ("Market is closed", "no room")  # Binance's, and a test's


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Any:
    def run(*arguments: str) -> tuple[int, str]:
        """Return the exit code and all that was printed, which has to be French."""
        capsys.readouterr()
        code = main.main(arguments)
        shown = capsys.readouterr()
        text = plain(shown.out + shown.err)
        assert is_wholly_french(re.sub("|".join(WORDS_OF_OTHERS), "", text))
        return code, text

    return run


def answer(harness: ProcessHarness, match: str, status: int, body: str = "{}", service: str = "binance") -> None:
    harness.market.faults.add(service=service, match=match, kind="status", times=-1, status=status, body=body)


def test_a_day_by_hand(harness: ProcessHarness, told: Any) -> None:
    harness.write_model()
    code, shown = told("daily", "--plan")
    assert code == 0
    assert "acheter ADA" in shown
    code, shown = told("daily")
    assert code == 0
    assert re.search(r"Acheté [0-9 ,]+ ADA pour 999,\d\d USDT à [0-9,]+ \(achat du jour\)", shown)
    assert re.search(r"Passe du \d\d/\d\d/\d{4} : acheté ADA\. Capital 0,\d\d USDT, 1 position\.", shown)
    assert "Bought" in (harness.folder / "bot.log").read_text(), "bot.log stays English"
    assert "est déjà faite ; rien à faire" in told("daily")[1]
    harness.market.set_price("ADA", "0.1")
    code, shown = told("intraday")
    assert code == 0
    assert "(stop-loss, -" in shown
    assert "0 position contrôlée." in shown
    for command in ("status", "check", "pause", "resume", "notify-test"):
        told(command)
    assert told("export", "--year", "2026")[0] == 0
    assert told("sell-all", "--yes")[0] == 0


def test_nothing_to_export_and_no_book(harness: ProcessHarness, told: Any) -> None:
    assert told("export", "--year", "2026") == (2, "trades.csv : il n'y a encore aucun ordre à exporter\n")
    assert told("status") == (
        2,
        "bot_state.json : il n'y a pas encore de registre ; démarrez le robot avec : python main.py\n",
    )
    assert told("notify-test")[1].startswith("notify : vide ; mettez une adresse")


def test_keys_that_are_missing(harness: ProcessHarness, told: Any) -> None:
    del harness.config["binance_api"]["api_key"], harness.config["lunarcrush"]["api_key"]
    harness.write_config()
    for command in ("run", "daily", "intraday", "sell-all"):
        code, shown = told(command, *(["--yes"] if command == "sell-all" else []))
        assert code == 2
        assert shown.startswith("lunarcrush.api_key : vide, alors que le mode live en a besoin ; mettez la clé dans")
    assert "il manque : lunarcrush.api_key, binance_api.api_key" in told("check")[1]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b'{"version": 1, "mode"', "bot_state.json : n'est pas du JSON (ligne 1) ; rien n'a été changé"),
        (b"\xff\xfe", "bot_state.json : n'est pas du texte en UTF-8 ; rien n'a été changé. Il n'y a pas de .bak"),
        pytest.param(b"[]", "bot_state.json : ne contient pas de registre", marks=pytest.mark.slow),
        (b'{"version": 9}', "est de la version 9, ce programme lit la version 1"),
        (b'{"version": 1, "mode": "live"}', "il manque capital_usdt, last_daily_update, positions"),
        (
            b'{"version":1, "mode":"live", "quote_asset": 7, "capital_usdt": 1, "last_daily_update": 1, "positions":1}',
            "bot_state.json : quote_asset : valeur impossible ; rien n'a été changé",
        ),
        pytest.param(
            b'{"version": 1, "version": 1}', "bot_state.json : version figure deux fois", marks=pytest.mark.slow
        ),
    ],
)
def test_a_torn_book(harness: ProcessHarness, told: Any, content: bytes, fault: str) -> None:
    (harness.folder / "bot_state.json").write_bytes(content)
    for command in ("status", "intraday", "check"):
        code, shown = told(command)
        assert code == (1 if command == "check" else 2)
        assert fault in shown if command != "check" else fault.split(" ; ", maxsplit=1)[0] in shown
        assert "rien n'a été changé" in shown


def test_a_lost_book_and_one_of_another_mode(harness: ProcessHarness, told: Any) -> None:
    (harness.folder / "trades.csv").write_text("time\n")
    assert "bot_state.json : manque alors que trades.csv est là" in told("intraday")[1]
    (harness.folder / "bot_state.json.bak").write_text("{}")
    assert "bot_state.json : manque alors que bot_state.json.bak est là" in told("status")[1]
    Store(a_book(mode="paper"), Path("bot_state.json"), Path("trades.csv"), Disk(), print).save(a_book(mode="paper"))
    assert "a été écrit en mode paper, les réglages disent live" in told("status")[1]


def test_a_second_bot(harness: ProcessHarness, told: Any) -> None:
    with writer_lock(Path("bot_state.json")):
        code, shown = told("run")
        assert told("intraday")[1].startswith("Rien n'a été fait ici : un robot (ou une autre commande) travaille déjà")
    assert (code, shown) == (
        1,
        "bot_state.json : un autre MarsShot tourne sur ce registre ; arrêtez-le d'abord, ou prenez un autre dossier\n",
    )


def test_a_folder_that_cannot_be_written(harness: ProcessHarness, told: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert "on ne peut pas écrire dans ce dossier ; le robot y garde son registre" in told("intraday")[1]
    code, shown = told("check")
    assert code == 1
    assert "on ne peut pas écrire dans ce dossier → le robot y garde son registre" in shown


def test_a_log_that_cannot_be_written(harness: ProcessHarness, told: Any) -> None:
    (harness.folder / "bot.log").mkdir()
    assert "bot.log : le journal ne peut pas être écrit" in told("intraday")[1]


def test_a_model_that_does_not_fit(harness: ProcessHarness, told: Any) -> None:
    remedy = "créez-le avec : python build_csv.py, puis python train_model.py"
    assert told("daily")[1].endswith(f"model.pkl : ce fichier n'existe pas ; {remedy}\n")
    code, _, error = harness.run("run")
    assert (code, plain(error)) == (2, f"model.pkl : ce fichier n'existe pas ; {remedy}\n")
    harness.write_model()
    (harness.folder / "model.json").write_text('{"sha256": "0"}')
    assert "model.pkl : n'est pas le modèle dont parle model.json" in told("daily")[1]
    assert "(le sha256 diffère) → créez-le avec : python build_csv.py" in told("check")[1]
    (harness.folder / "model.json").write_text("[]")
    assert "model.json : ne contient pas les données d'un modèle" in told("daily")[1]


@pytest.mark.parametrize(
    ("status", "body", "fault"),
    [
        (502, "", "Binance a répondu 502"),
        (451, "", "Binance refuse le lieu où se trouve cette machine (451)"),
        pytest.param(403, "", "le pare-feu de Binance a refusé la demande (403)", marks=pytest.mark.slow),
        (
            400,
            '{"code": -1003, "msg": "Too many requests"}',
            "Binance demande d'attendre (400, -1003) : Too many requests",
        ),
        (401, '{"code": -2015, "msg": "Invalid API-key"}', "Binance : clé, adresse IP ou permission refusée"),
        (400, '{"code": -1022, "msg": "Signature"}', "Binance : le secret ne va pas avec la clé"),
        pytest.param(
            400,
            '{"code": -2008, "msg": "Invalid Api-Key ID"}',
            "Binance : cette clé est inconnue",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            400,
            '{"code": -2014, "msg": "API-key format"}',
            "Binance : ce n'est pas une clé Binance",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            400, '{"code": -1002, "msg": "Unauthorized"}', "Binance : la clé n'a pas ce droit", marks=pytest.mark.slow
        ),
    ],
)
def test_binance_refuses(harness: ProcessHarness, told: Any, status: int, body: str, fault: str) -> None:
    harness.write_model()
    answer(harness, "/api/v3/account", status, body)
    answer(harness, "/api/v3/exchangeInfo", status, body)
    code, shown = told("daily")
    assert code == 1
    assert fault in shown
    assert "La passe du jour n'est pas faite" in shown
    assert fault in told("check")[1]


def test_binance_is_down(harness: ProcessHarness, told: Any) -> None:
    harness.write_model()
    harness.market.faults.add(service="binance", match="", kind="drop_before", times=-1)
    for arguments in (["daily"], ["daily", "--plan"], ["check"]):
        code, shown = told(*arguments)
        assert code == 1
        assert "Binance ne répond pas (ConnectionError)" in shown


@pytest.mark.parametrize(
    ("status", "fault"),
    [
        (401, "LunarCrush refuse la clé ; vérifiez lunarcrush.api_key"),
        (402, "l'abonnement de cette clé ne comprend pas l'historique par jour"),
        pytest.param(403, "LunarCrush bloque la demande", marks=pytest.mark.slow),
        (451, "LunarCrush refuse la demande (451)"),
        pytest.param(302, "LunarCrush répond par une redirection (302)", marks=pytest.mark.slow),
        pytest.param(404, "LunarCrush ne connaît pas BTC (404)", marks=pytest.mark.slow),
    ],
)
def test_lunarcrush_refuses(harness: ProcessHarness, told: Any, status: int, fault: str) -> None:
    harness.write_model()
    answer(harness, "", status, service="lunarcrush")
    for arguments in (["daily"], ["daily", "--plan"], ["check"]):
        code, shown = told(*arguments)
        assert code == 1
        assert fault in shown


def test_prices_that_are_odd(harness: ProcessHarness, told: Any) -> None:
    harness.write_model()
    told("intraday")
    harness.add_ada_position()
    answer(harness, "ADA", 404, service="coinbase")
    assert "ADA : Coinbase ne le connaît pas ; c'est le prix de Binance qui compte" in told("intraday")[1]
    answer(harness, "ticker/price", 502)
    code, shown = told("intraday")
    assert code == 1
    assert "Pas de prix de Binance : Binance a répondu 502" in shown
    assert (
        "ADA : pas de prix : Coinbase ne le connaît pas, Binance n'en a pas ; sans prix, aucune règle ne peut agir"
        in shown
    )
    code, shown = told("sell-all", "--yes")
    assert code == 1
    assert "ADA n'a pas été vendu : aucune plateforme n'a de prix en ce moment (pas de prix : Coinbase ne le" in shown


def test_coins_that_are_missing(harness: ProcessHarness, told: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for place in ("portfolio.reconciliation", "bot.reconciler"):
        monkeypatch.setattr(f"marsshot.{place}.SECOND_READING_AFTER_MS", 0)
    harness.write_model()
    told("intraday")
    harness.add_ada_position()
    harness.market.exchange.free["ADA"] = D(10)
    shown = told("intraday")[1]
    assert "ADA : le registre du robot en a 400, Binance 10 ; ont-ils été vendus ou déplacés à la main ?" in shown
    assert "Les achats sont suspendus tant que vous n'avez pas vérifié" in shown
    assert "suspendus (par le robot, car son registre et Binance ne concordent pas" in told("status")[1]
    assert "suspendus (ADA : le registre du robot en a 400, Binance 10" in told("check")[1]
    told("resume")
    assert (
        "comme vous avez de nouveau permis les achats, le registre du robot compte désormais 10 au lieu de 400"
        in told("intraday")[1]
    )


RATES: Mapping[str, str] = {
    "date\n": "il manque la colonne eur_per_quote ; la première ligne doit être : date,eur_per_quote",
    "date,eur_per_quote\n2026-01-02,0,92\n": "rates.csv, ligne 2 : trop de virgules",
    "date,eur_per_quote\n2026-01-02,x\n": "rates.csv, ligne 2 : il faut un jour et un nombre",
    "date,eur_per_quote\n2026-01-02,9213\n": "rates.csv, ligne 2 : 9213 ne convient pas",
    "date,eur_per_quote\n2020-01-02,0.9\n": "rates.csv : pas de cours pour le 02/01/2026, ni pour les 7 jours d'avant",
}


@pytest.mark.parametrize(("text", "fault"), RATES.items())
def test_a_bad_file_of_rates(harness: ProcessHarness, told: Any, text: str, fault: str) -> None:
    trade = a_trade(time="2026-01-02T00:30:00Z")
    book = a_book(mode="live", unwritten_trades=(trade,))
    Store(book, Path("bot_state.json"), Path("trades.csv"), Disk(), print).save(book)
    rates = harness.folder / "rates.csv"
    rates.write_text(text)
    code, shown = told("export", "--year", "2026", "--rates", "rates.csv")
    assert code == 2
    assert fault in shown
    assert "impossible à lire" in told("export", "--year", "2026", "--rates", "absent.csv")[1]
    (harness.folder / "trades.csv").write_text("time,symbol\nx,y\n")
    assert "trades.csv, ligne 2 : illisible comme ordre en USDT" in told("export", "--year", "2026")[1]


def test_what_the_running_bot_could_not_sell_is_told_in_french(harness: ProcessHarness, told: Any) -> None:
    harness.write_model()
    told("intraday")
    harness.add_ada_position()
    answer(harness, "POST /api/v3/order", 400, '{"code": -2010, "msg": "Market is closed."}')
    code, shown = told("sell-all", "--yes")
    assert code == 1
    assert "Binance a refusé l'ordre : Market is closed. (-2010)" in shown


def test_a_sale_of_everything_that_waits(harness: ProcessHarness, told: Any) -> None:
    ControlFiles(read_settings(Path("config.yaml"))).request_sell_all()
    assert told("resume")[1].startswith("Rien n'a été changé : une vente de tout attend encore (SELL_ALL)")


def test_an_interrupt_and_a_trouble_of_the_machine(
    harness: ProcessHarness, told: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    def refused(*_: object) -> int:
        raise OSError("no room")

    monkeypatch.setattr(main, "pause", interrupted)
    monkeypatch.setattr(main, "resume", refused)
    assert told("pause") == (1, "arrêté\n")
    assert told("resume") == (1, "la machine : no room\n")


@pytest.mark.parametrize("arguments", [["--help"], *([command, "-h"] for command in COMMANDS)])
def test_help_is_french(harness: ProcessHarness, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main.main(arguments)
    french = " ".join(capsys.readouterr().out.split())
    key = f"help.command.{arguments[0]}" if len(arguments) > 1 else "help.description"
    assert plain(load_texts("fr")[key]) in french
    with pytest.raises(SystemExit):
        main.main([*arguments, "--config", "absent.yaml"])
    assert load_texts("en")[key] in " ".join(capsys.readouterr().out.split())


# --------------------------------------------------------------------------- the terminal of a command, and bot.log


class PrintedLines:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def print(self, text: str, /, **_: object) -> None:
        self.lines.append(text)


@pytest.mark.parametrize(("words", "line"), [(Catalog("fr"), "arrêté"), (None, "stopped")])
def test_the_terminal_has_the_commands_language_and_the_log_english(
    words: Catalog | None, line: str, tmp_path: Path
) -> None:
    shown, now = PrintedLines(), SystemClock().now
    start_log(tmp_path / "bot.log", now, (), shown, words)
    try:
        log_info("some.event", LocalizedText("fault.stopped"))
    finally:
        stop_log()
    assert shown.lines[0].endswith(f"  {line}")
    assert (tmp_path / "bot.log").read_text().endswith("INFO some.event | stopped\n")


@pytest.mark.parametrize(
    ("console", "one_shot", "is_french"),
    [
        (PrintedLines(), False, True),
        (PlainTerminal(), False, False),
        (PlainTerminal(), True, True),
        (None, True, False),
    ],
)
def test_a_bot_that_somebody_looks_on_at_speaks_his_language_and_a_service_english(
    console: Terminal | None, one_shot: bool, is_french: bool
) -> None:
    catalog = console_catalog(some_settings(language="fr"), console, one_shot=one_shot)
    assert (catalog is not None and catalog.language == "fr") is is_french


# Its lines stay English: the story of a disaster, which only developers read.
ENGLISH_FOLDERS = {"chaos"}
# Lines that only the running bot's log has, and texts that are Binance's own, also where paper mode says them.
NOT_FOR_THE_OWNER = (
    "stopped ",
    "no new order is begun",
    "would take ",
    "Filter failure: ",
    ": mode: a change from ",
    ": the book ",
)


def plain_errors(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the errors that are given a text of their own in place of a sentence of the catalogue."""
    for node in nodes_of(module_name(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
            given = ast.unparse(node.args[0])
            is_ours = isinstance(getattr(errors, node.func.id, None), type) or node.func.id.endswith("RefusedError")
            if is_ours and isinstance(node.args[0], ast.Constant | ast.JoinedStr):
                yield node.lineno, given


def test_no_error_has_a_text_that_the_catalogue_lacks() -> None:
    found = [
        (str(path), line, given)
        for path in PROGRAM
        if not ENGLISH_FOLDERS & set(path.parts)
        for line, given in plain_errors(path)
        if not any(text in given for text in NOT_FOR_THE_OWNER)
    ]
    assert found == []


LOGGED = {"log_info", "log_warning", "log_error"}


@pytest.mark.parametrize("path", PROGRAM, ids=lambda path: path.stem)
def test_no_line_of_the_bot_has_a_text_that_the_catalogue_lacks(path: Path) -> None:
    calls = [node for node in nodes_of(module_name(path)) if isinstance(node, ast.Call)]
    lines = [one for one in calls if isinstance(one.func, ast.Name) and one.func.id in LOGGED]
    found = [one.lineno for one in lines if isinstance(one.args[1], ast.Constant | ast.JoinedStr)]
    assert found == [] or ENGLISH_FOLDERS & set(path.parts)


def test_the_shipped_files_name_a_language() -> None:
    root = Path(main.__file__).parent
    assert language_of(root / "config.yaml") == yaml.safe_load((root / "config.yaml").read_text())["language"]
