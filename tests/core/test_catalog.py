"""The catalogue: every sentence in every language, with the same values, none unknown to it and none unused."""

from __future__ import annotations

import ast
import copy
import errno
import os
import pickle
import re
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from string import Formatter
from zoneinfo import ZoneInfo

import pytest
import yaml

from marsshot.commands.command_line import COMMANDS
from marsshot.core.catalog import (
    FOLDER,
    LANGUAGES,
    Catalog,
    Language,
    LocalizedText,
    catalog_of,
    fault_and_remedy,
    load_texts,
    with_command_name,
    with_remedy,
)
from marsshot.core.errors import InputError, TemporaryError
from tests.helpers.builders import ROOT
from tests.helpers.french_text import english_words, plain
from tests.helpers.imports import MODULES, nodes_of

D = Decimal
FIRM, NARROW = "\u00a0", "\u202f"


# --------------------------------------------------------------------------- the languages agree


def values_in(sentence: str) -> set[str]:
    """Return the values that a caller must give; the exchange's name nobody has to."""
    return {name for _, name, _, _ in Formatter().parse(sentence) if name is not None} - {"exchange"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_every_key(language: Language) -> None:
    assert load_texts(language).keys() == load_texts("en").keys()


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_sentence_has_the_same_values_in_every_language(language: Language) -> None:
    """But for {problem}, the words of a library: they are English, and French names the fault by itself."""
    foreign = set() if language == "en" else {"problem"}
    for key, sentence in load_texts(language).items():
        assert values_in(sentence) == values_in(load_texts("en")[key]) - foreign, key


@pytest.mark.parametrize("language", LANGUAGES)
def test_values_have_names_and_sentences_are_on_one_line(language: Language) -> None:
    for key, sentence in load_texts(language).items():
        assert all(name.isidentifier() for name in values_in(sentence)), key
        assert sentence == " ".join(re.split(r"[ \t\n]+", sentence.strip())), key


def test_no_sentence_is_left_in_english() -> None:
    """A short word may be the same in both; a sentence is not."""
    same = {key for key, text in load_texts("fr").items() if text == load_texts("en")[key] and text.count(" ") > 3}
    assert same == set()


ASKED_IN_BOTH = {"setup.ask.language"}  # before the language is known


def test_no_french_sentence_has_an_english_word_in_it() -> None:
    for key, text in load_texts("fr").items():
        assert key in ASKED_IN_BOTH or not english_words(text), (key, english_words(text))


def test_the_book_is_called_by_one_name_in_french() -> None:
    assert [key for key, text in load_texts("fr").items() if re.search(r"\blivres?\b", text, re.IGNORECASE)] == []


NOT_A_COIN = r"monnaie (de cotation|d'achat)|autre monnaie \(BNB\)|quelle monnaie"
NOT_A_COIN_EITHER = r"[Jj]etons? d'accès|Telegram|BotFather"


def test_what_is_traded_is_called_a_token_in_french_and_a_secret_a_jeton() -> None:
    texts = load_texts("fr")
    assert [key for key, text in texts.items() if "monnaie" in text and not re.search(NOT_A_COIN, text)] == []
    jetons = [key for key, text in texts.items() if "eton" in text and not re.search(NOT_A_COIN_EITHER, text)]
    assert jetons == ["check.telegram.token", "setup.hidden.token"]


def test_what_the_model_says_is_called_a_score_in_both_languages() -> None:
    statistics = ("backtest.sweep.", "model.report.reliability_note")
    for language in LANGUAGES:
        named = [key for key, text in load_texts(language).items() if "probabilit" in text]
        assert [key for key in named if not key.startswith(statistics)] == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_the_systems_errors_have_words_of_ours(number: int) -> None:
    sentence = LocalizedText("fault.file.unreadable", path="x", why=os.strerror(number))
    assert os.strerror(number) in sentence
    assert os.strerror(number) not in Catalog("fr").render(sentence)


def test_every_language_has_the_same_files_and_no_key_stands_in_two() -> None:
    for language in LANGUAGES:
        files = [FOLDER / f"{language}.yaml", *(FOLDER / language).iterdir()]
        assert {path.name for path in files[1:]} == {path.name for path in (FOLDER / "en").iterdir()}
        sections = [name for path in files for name in yaml.safe_load(path.read_text(encoding="utf-8"))]
        assert len(sections) == len(set(sections))


# --------------------------------------------------------------------------- the catalogue and the program agree


@cache
def sources() -> tuple[tuple[Path, ast.AST], ...]:
    """Return all nodes of the program, each with its file."""
    return tuple((path, node) for module, path in MODULES.items() for node in nodes_of(module))


def said() -> Iterator[tuple[Path, ast.Call]]:
    """Yield every `....text(key, ...)` and `LocalizedText(key, ...)`."""
    for path, node in sources():
        if isinstance(node, ast.Call) and _asks_for_a_key(node.func):
            yield path, node


def _asks_for_a_key(called: ast.expr) -> bool:
    is_say = isinstance(called, ast.Attribute) and called.attr == "text"
    return is_say or (isinstance(called, ast.Name) and called.id == "LocalizedText")


TEMPLATES = sorted((ROOT / "marsshot" / "dashboard" / "templates").glob("*.html"))


def asked_in_templates() -> Iterator[tuple[str, bool, set[str]]]:
    """Yield each key of a page, whether it is whole or goes on with a value (`"page.nav." ~ page`), and its values."""
    for path in TEMPLATES:
        for key, more, rest in re.findall(r'\bsay\("([^"]+)"( ~)?((?:[^()]|\([^()]*\))*)\)', path.read_text("utf-8")):
            yield key, not more, set(re.findall(r"(?<![\w.])(\w+)=", rest))


def test_the_pages_ask_for_keys_that_are_there_with_the_values_that_they_want() -> None:
    asked = list(asked_in_templates())
    assert len(asked) > 50
    for key, is_whole, values in asked:
        if is_whole:
            assert values_in(load_texts("en")[key]) <= values, key
        else:
            assert any(one.startswith(key) for one in load_texts("en")), key


def test_no_key_is_asked_for_that_is_not_there() -> None:
    found = 0
    for path, call in said():
        key = call.args[0]
        if isinstance(key, ast.Constant):
            assert key.value in load_texts("en"), f"{path.name}:{call.lineno}"
            found += 1
        if isinstance(key, ast.JoinedStr):
            begins = str(key.values[0].value) if isinstance(key.values[0], ast.Constant) else ""
            assert begins and any(one.startswith(begins) for one in load_texts("en")), f"{path.name}:{call.lineno}"
    assert found > 300


def test_sentences_get_the_values_that_they_want() -> None:
    for path, call in said():
        key, given = call.args[0], {keyword.arg for keyword in call.keywords}
        if isinstance(key, ast.Constant) and None not in given:
            assert given == values_in(load_texts("en")[str(key.value)]), f"{path.name}:{call.lineno}"


def test_every_sentence_is_used() -> None:
    """A key is used where it stands in the program, whole or, in an f-string, up to a point: f"why.{code}"."""
    nodes = [node for _, node in sources()]
    whole = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    starts = tuple(
        str(node.values[0].value)
        for node in nodes
        if isinstance(node, ast.JoinedStr)
        and isinstance(node.values[0], ast.Constant)
        and str(node.values[0].value).endswith(".")
        and " " not in str(node.values[0].value)
    )
    pages = "".join(path.read_text("utf-8") for path in TEMPLATES)
    whole |= set(re.findall(r'"(page\.[\w.]+)"', pages))
    starts += tuple(key for key, is_whole, _ in asked_in_templates() if not is_whole)
    assert [key for key in load_texts("en") if key not in whole and not key.startswith(starts)] == []


# --------------------------------------------------------------------------- the forms of values


@pytest.mark.parametrize(
    ("form", "value", "english", "french"),
    [
        ("", "ADA", "ADA", "ADA"),
        ("", 12, "12", "12"),
        ("", D("0.000012"), "0.000012", "0,000012"),
        ("money", D("1234.5"), "1,234.50", f"1{NARROW}234,50"),
        ("money", D("-0.005"), "0.00", "0,00"),
        ("change", D("-0.0004"), "0.0 %", f"0,0{FIRM}%"),
        ("change", D("-0.0006"), "-0.1 %", f"-0,1{FIRM}%"),
        ("row/rows", 0, "rows", "row"),
        ("row/rows", 1, "row", "row"),
        ("row/rows", 2, "rows", "rows"),
        ("gain", D("1234567.891"), "+1,234,567.89", f"+1{NARROW}234{NARROW}567,89"),
        ("percent", 0.125, "12.5 %", f"12,5{FIRM}%"),
        ("change", D("-0.5"), "-50.0 %", f"-50,0{FIRM}%"),
        ("score", D("0.71249"), "0.712", "0,712"),
        ("price", D("42123.4567"), "42,123.5", f"42{NARROW}123,5"),
        ("price", D("1234567.8"), "1,234,568", f"1{NARROW}234{NARROW}568"),
        ("price", D("0.000000123456789"), "0.000000123457", "0,000000123457"),
        ("price", D(0), "0", "0"),
        ("price", D("0.10"), "0.10", "0,10"),
        ("price", D(1) / 3, "0.333333", "0,333333"),
        ("", date(2026, 1, 31), "2026-01-31", "31/01/2026"),
        ("", datetime(2026, 1, 31, 0, 30, tzinfo=UTC), "2026-01-31 00:30 UTC", "31/01/2026 00:30 UTC"),
        ("", timedelta(seconds=89), "89 s", f"89{FIRM}s"),
        ("", timedelta(seconds=90), "1 min", f"1{FIRM}min"),
        ("", timedelta(minutes=90), "1 h", f"1{FIRM}h"),
        ("", timedelta(hours=48), "2 days", f"2{FIRM}jours"),
        ("", timedelta(seconds=-3), "0 s", f"0{FIRM}s"),
    ],
)
def test_values_have_the_languages_form(form: str, value: object, english: str, french: str) -> None:
    assert Catalog("en").format_field(value, form) == english
    assert Catalog("fr").format_field(value, form) == french


@pytest.mark.parametrize(
    ("zone", "told"),
    [
        ("Europe/Paris", "2026-01-31 00:30 UTC (01:30 CET)"),
        ("America/New_York", "2026-01-31 00:30 UTC (2026-01-30 19:30 EST)"),
        ("UTC", "2026-01-31 00:30 UTC"),
    ],
)
def test_the_owners_own_time_stands_beside_utc(zone: str, told: str) -> None:
    moment = datetime(2026, 1, 31, 0, 30, tzinfo=UTC)
    assert Catalog("en", zone=ZoneInfo(zone)).format_field(moment, "") == told
    assert Catalog("en").format_field(moment, "") == "2026-01-31 00:30 UTC"


# --------------------------------------------------------------------------- sentences that are carried


TOLD_IN_FRENCH = f"config.yaml{FIRM}: mode{FIRM}: manque"


def some_sentence() -> LocalizedText:
    return LocalizedText(
        "fault.in_file", path=Path("config.yaml"), fault=LocalizedText("fault.config.missing", key="mode")
    )


def test_a_sentence_is_english_by_itself_and_told_in_any_language_with_those_inside_it() -> None:
    sentence = some_sentence()
    assert sentence == "config.yaml: mode: is missing"
    assert Catalog("fr").render(sentence) == TOLD_IN_FRENCH
    assert Catalog("en").render(sentence) == sentence
    assert Catalog("fr").render("what Binance said", sentence) == f"what Binance said\n{TOLD_IN_FRENCH}"


@pytest.mark.parametrize("carried", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])  # noqa: S301 - our own
def test_a_sentence_stays_one_on_its_way_from_another_process(
    carried: Callable[[LocalizedText], LocalizedText],
) -> None:
    assert Catalog("fr").render(carried(some_sentence())) == TOLD_IN_FRENCH


def test_an_error_says_its_sentence_in_english_and_keeps_it() -> None:
    error = TemporaryError(some_sentence(), 30.0)
    assert str(error) == "config.yaml: mode: is missing"
    assert Catalog("fr").render(*error.faults) == Catalog("fr").render(error.message) == TOLD_IN_FRENCH
    both = pickle.loads(pickle.dumps(InputError(some_sentence(), "as it is")))  # noqa: S301 - our own
    assert str(both) == "config.yaml: mode: is missing\nas it is"
    assert Catalog("fr").render(*both.faults) == f"{TOLD_IN_FRENCH}\nas it is"


@pytest.mark.parametrize(
    ("reasons", "english", "french"),
    [(("a",), "a", "a"), (("a", LocalizedText("status.none")), "a; none", "a ; aucun"), ((), "", "")],
)
def test_several_texts_stand_in_a_row(reasons: tuple[str, ...], english: str, french: str) -> None:
    sentence = LocalizedText("fault.scores.none", reasons=reasons)
    assert sentence == f"No token has a score: {english}"
    assert plain(Catalog("fr").render(sentence)) == f"Aucun token n'a de score : {french}"
    assert Catalog("fr").format_field(("a", "b"), "list") == "a, b"


@pytest.mark.parametrize(("text", "aside"), [("", ""), ("answered\n 502", " (answered 502)")])
def test_an_aside_is_in_brackets_where_there_is_one(text: str, aside: str) -> None:
    assert Catalog("en").format_field(text, "aside") == aside


def test_a_catalogue_out_of_reach_makes_no_second_trouble_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is gone, an upgrade that has begun: the error is raised all the same, with what it knows."""
    assert LocalizedText("fault.of_the_next_version", status=502) == "fault.of_the_next_version status=502"
    assert (
        Catalog("fr").render(LocalizedText("fault.of_the_next_version", status=502))
        == "fault.of_the_next_version status=502"
    )
    monkeypatch.setattr("marsshot.core.catalog._english", _refuse)
    assert (
        str(TemporaryError(LocalizedText("fault.exchange.answered", status=502)))
        == "fault.exchange.answered status=502"
    )


def _refuse() -> Catalog:
    raise PermissionError(13, "Permission denied")


def test_a_key_or_a_value_that_is_missing_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        Catalog("en").text("no.such.key")
    assert not Catalog("en").has_key("no.such.key")
    assert Catalog("en").has_key("unit.days")


def test_where_a_catalogue_is_out_of_reach_the_english_one_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert catalog_of("fr").language == "fr"
    shutil.copytree(FOLDER, tmp_path, dirs_exist_ok=True)
    (tmp_path / "fr.yaml").write_text("pause: {set: [no sentence", encoding="utf-8")
    stopped = LocalizedText("fault.stopped")
    load_texts.cache_clear()
    monkeypatch.setattr("marsshot.core.catalog.FOLDER", tmp_path)
    try:
        assert (catalog_of("fr").language, catalog_of("fr").text("fault.stopped")) == ("en", "stopped")
        (tmp_path / "en.yaml").unlink()
        load_texts.cache_clear()
        assert catalog_of("fr").render(stopped) == "stopped", "even where there is none at all"
    finally:
        load_texts.cache_clear()


# --------------------------------------------------------------------------- a fault and its remedy


def test_a_fault_with_its_remedy_is_one_sentence_that_can_be_told_apart_again() -> None:
    text = with_remedy(
        LocalizedText("fault.folder.unwritable", folder="/x; y"), LocalizedText("fault.folder.keeps_book")
    )
    assert text == "/x; y: this folder cannot be written; the bot keeps its book there"
    assert (
        plain(Catalog("fr").render(text))
        == "/x; y : on ne peut pas écrire dans ce dossier ; le robot y garde son registre"
    )
    fault, remedy = fault_and_remedy(text)
    assert (fault, remedy) == ("/x; y: this folder cannot be written", "the bot keeps its book there")
    assert Catalog("fr").render(remedy) == "le robot y garde son registre"


def test_remedies_add_up_and_a_fault_may_have_none() -> None:
    assert fault_and_remedy(with_remedy(with_remedy("broken", "mend it"), "begin anew")) == (
        "broken",
        "mend it; begin anew",
    )
    assert fault_and_remedy("one; two") == ("one; two", "")
    assert fault_and_remedy(LocalizedText("fault.stopped")) == ("stopped", "")


# --------------------------------------------------------------------------- what the owner is told to type


def test_commands_are_told_as_the_owner_types_them() -> None:
    text = (
        "see python main.py status, or python build_csv.py, then python train_model.py; start it with: python main.py"
    )
    assert with_command_name(text, "") == text
    assert with_command_name(text, "marsshot") == (
        "see marsshot status, or marsshot build_csv.py, then marsshot train_model.py; "
        "start it with: sudo systemctl start marsshot"
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_sentence_names_a_command_in_a_way_that_stays_as_it_is_on_a_server(language: Language) -> None:
    by_another_name = re.compile(rf"(?<!python )main\.py (?:{'|'.join(COMMANDS)})\b")
    assert not [key for key, text in load_texts(language).items() if by_another_name.search(text)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_on_a_server_no_sentence_names_a_command_that_is_not_there(language: Language) -> None:
    assert not [key for key, text in load_texts(language).items() if "python" in with_command_name(text, "marsshot")]
