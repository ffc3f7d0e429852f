"""The documents are held to the program: every setting, command and room is where a newcomer looks for it."""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from pydantic import BaseModel

from docs.make_pictures import CHROMIUM_NAMES, MAX_BYTES, PICTURES, names
from docs.write_tables import GUIDES, with_settings
from marsshot.commands.command_line import COMMANDS, command_parser
from marsshot.config.loader import read_settings
from marsshot.config.secret_values import NOTIFY_VARIABLE, SECRET_VARIABLES
from marsshot.config.settings import Settings
from marsshot.config.training_tokens import DEFAULT_TRAINING_TOKENS
from marsshot.core.catalog import Language, load_texts

ROOT = Path(__file__).resolve().parents[2]


def test_the_shipped_settings_hold_and_name_every_key() -> None:
    read_settings(ROOT / "config.yaml")
    shipped = yaml.safe_load((ROOT / "config.yaml").read_text())
    for name, field in Settings.model_fields.items():
        assert name in shipped
        section = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            assert set(shipped[name]) == set(section.model_fields), name


def test_the_shipped_training_list_is_the_default_one() -> None:
    assert tuple(yaml.safe_load((ROOT / "config.yaml").read_text())["training_tokens"]) == DEFAULT_TRAINING_TOKENS
    assert len(DEFAULT_TRAINING_TOKENS) == 150


def test_ci_looks_for_the_browsers_that_the_tests_take() -> None:
    assert f"for browser in {' '.join(CHROMIUM_NAMES)}; do" in (ROOT / ".ci/run").read_text()


def test_every_command_is_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    for command in COMMANDS:
        assert f"python main.py {command}" in readme or command == "run", command


def test_the_house_is_drawn_with_every_script_and_folder() -> None:
    drawn = (ROOT / "CONTRIBUTING.md").read_text().split("## To change X, open Y")[0]
    for path in ROOT.glob("*.py"):
        assert path.name in drawn, path.name
    for path in (ROOT / "marsshot").glob("*/__init__.py"):
        assert f"  {path.parent.name}/  " in drawn, path.parent.name


def test_the_table_of_what_to_open_names_files_that_there_are() -> None:
    table = (ROOT / "CONTRIBUTING.md").read_text().split("## To change X, open Y")[1].split("## Recipes")[0]
    for name in re.findall(r"`([^`]+)`", table):
        assert (ROOT / name).exists() or (ROOT / "marsshot" / name).exists(), name


# --------------------------------------------------------------------------- the guides

# What is said in each language, all pages together; and the guide alone.
PAGES = {"en": ("README.md", "docs/guide.md"), "fr": ("README.fr.md", "docs/guide.fr.md")}
LANGUAGES = pytest.mark.parametrize("language", PAGES)
SCRIPTS = ("build_csv.py", "train_model.py", "chaos.py", "backtest.py", "dashboard.py")


def text_of(language: str) -> str:
    return "\n".join((ROOT / page).read_text() for page in PAGES[language])


def keys_of(model: type[BaseModel], place: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from keys_of(kind, f"{place}{name}.")
        else:
            yield f"{place}{name}"


def options_of(parser: argparse.ArgumentParser) -> set[str]:
    return {option for action in parser._actions for option in action.option_strings if len(option) > 2} - {"--help"}


def options_in(script: str) -> set[str]:
    """Return the options that a script's source names."""
    return set(re.findall(r'"(--[a-z][a-z-]+)"', (ROOT / script).read_text()))


def commands() -> dict[str, argparse.ArgumentParser]:
    (choices,) = [
        one.choices for one in command_parser(lambda key: None)._actions if isinstance(one, argparse._SubParsersAction)
    ]
    return dict(choices)


@LANGUAGES
def test_every_setting_is_in_the_guide(language: str) -> None:
    guide = (ROOT / PAGES[language][1]).read_text()
    keys = list(keys_of(Settings))
    assert "strategy.stop_loss_pct" in keys
    assert [key for key in keys if f"`{key}`" not in guide] == []


@pytest.mark.parametrize(("language", "path"), GUIDES.items())
def test_the_guide_says_of_exit_rules_and_levers_what_the_catalogue_says(language: Language, path: Path) -> None:
    guide = path.read_text()
    assert with_settings(guide, language) == guide, "run `make docs`"
    for key in ("stop_loss_pct", "btc_trend_days"):
        text = load_texts(language)[f"fault.config.meaning.{key}"]
        assert with_settings(guide.replace(text, "an old text"), language) == guide


@LANGUAGES
def test_every_variable_of_the_environment_is_in_the_guide(language: str) -> None:
    guide = (ROOT / PAGES[language][1]).read_text()
    assert [name for name in (*SECRET_VARIABLES, NOTIFY_VARIABLE) if name not in guide] == []


@LANGUAGES
def test_every_command_with_its_options_is_on_every_page(language: str) -> None:
    for page in PAGES[language]:
        text = (ROOT / page).read_text()
        for command, parser in commands().items():
            lines = [line for line in text.splitlines() if f"`python main.py {command}" in line]
            if command != "run" or page != "README.md":
                assert lines, f"{page}: {command}"
            missing = {option for option in options_of(parser) - {"--config"} if option not in "\n".join(lines)}
            assert missing == set(), f"{page}: {command}"
        assert "--config" in text


@LANGUAGES
def test_every_option_of_the_scripts_is_told(language: str) -> None:
    text = text_of(language) + (ROOT / "docs" / "backtest.md").read_text()
    for script in SCRIPTS:
        assert f"python {script}" in text_of(language)
        options = options_in(script)
        assert options
        assert {option for option in options if option not in text} == set(), script


@LANGUAGES
def test_every_message_is_explained_in_the_guide(language: str) -> None:
    """The first words of each trouble's headline, as it comes to the phone, stand in the guide's table."""
    guide = (ROOT / PAGES[language][1]).read_text().lower()
    for key, headline in load_texts(language).items():
        if key.startswith("event."):
            words = re.split(r"[:;,]", headline.replace("{exchange}", "Binance"))[0].lower()
            begins = " ".join(words.replace(".", " ").split()[:4])
            assert begins in guide.replace(".", " "), f"{key}: {headline}"


PAIRS = sorted(path.name.removesuffix(".fr.md") for path in (ROOT / "docs").glob("*.fr.md"))


def in_both(name: str) -> tuple[str, str]:
    """Return a document in English and in French, without what is typed or addressed."""
    pages = (ROOT / "docs" / f"{name}{end}" for end in (".md", ".fr.md"))
    english, french = (
        re.sub(r"```.*?```|`[^`]*`|\]\([^)]*\)", "", page.read_text(), flags=re.DOTALL) for page in pages
    )
    return english, french


@pytest.mark.parametrize("name", PAIRS)
def test_a_document_has_the_same_headings_and_numbers_in_french(name: str) -> None:
    english, french = in_both(name)
    headings = [re.findall(r"^#+", text, re.MULTILINE) for text in (english, french)]
    assert headings[0] == headings[1]
    numbers = Counter(one.replace(",", "") for one in re.findall(r"\d{1,3}(?:,\d{3})+|\d+(?:\.\d+)?", english))
    in_french = re.findall(r"\d{1,3}(?: \d{3})+|\d+(?:[.,]\d+)?", french)
    assert numbers == Counter(one.replace(" ", "").replace(",", ".") for one in in_french)


@pytest.mark.parametrize(
    "page", ["README.md", "README.fr.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")))]
)
def test_every_link_inside_the_project_leads_somewhere(page: str) -> None:
    path = ROOT / page
    for target in re.findall(r"\]\(([^)]+)\)", path.read_text()):
        if target.startswith("http"):
            continue
        file, _, heading = target.partition("#")
        there = (path.parent / file).resolve() if file else path
        assert there.exists(), target
        if heading:
            assert heading in {anchor(line) for line in there.read_text().splitlines() if line.startswith("#")}, target


def anchor(heading: str) -> str:
    """Return the name that GitHub gives a heading."""
    words = re.sub(r"[^\w\- ]", "", heading.lstrip("#").strip().lower())
    return words.replace(" ", "-")


# --------------------------------------------------------------------------- the pictures


def pictures_of(page: str) -> set[Path]:
    text = (ROOT / page).read_text()
    places = re.findall(r'!\[[^\]]*\]\(([^)]+)\)|(?:src|srcset)="([^"]+)"', text)
    return {ROOT / (first or second) for first, second in places}


def test_each_readme_shows_demo_dashboard_report_and_curve() -> None:
    for page in ("README.md", "README.fr.md"):
        shown = pictures_of(page)
        assert {path.name.split(".")[0] for path in shown} == {
            "demo",
            "dashboard-light",
            "dashboard-dark",
            "report",
            "equity",
        }, page
        assert [path for path in shown if not path.is_file()] == [], "run `make pictures`"


def test_the_pictures_are_those_that_are_shown_and_small() -> None:
    there = {path for path in PICTURES.iterdir() if path.is_file()}
    assert there == pictures_of("README.md") | pictures_of("README.fr.md") == {PICTURES / name for name in names()}
    assert sum(path.stat().st_size for path in there) <= MAX_BYTES


@pytest.mark.parametrize("name", ["demo.svg", "demo.fr.svg"])
def test_the_demo_moves_and_loads_nothing(name: str) -> None:
    """GitHub shows it as an image, where scripts, fonts and pictures from elsewhere stay away."""
    svg = ElementTree.parse(PICTURES / name).getroot()  # noqa: S314 - our own
    tags = [one.tag.rpartition("}")[2] for one in svg.iter()]
    assert not {"script", "image", "foreignObject", "a"} & set(tags)
    (style,) = [one.text or "" for one in svg.iter() if one.tag.endswith("}style")]
    assert "@keyframes" in style
    assert "url(" not in style
    assert "@import" not in style
