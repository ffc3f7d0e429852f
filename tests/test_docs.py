"""The documents are held to the program: every setting, command and room is where a newcomer looks for it."""

from __future__ import annotations

import re
from pathlib import Path

import yaml
from pydantic import BaseModel

from config_file import read_settings
from main import COMMANDS
from settings import Settings
from training_tokens import DEFAULT_TRAINING_TOKENS

ROOT = Path(__file__).parent.parent


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


def test_every_command_is_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    for command in COMMANDS:
        assert f"python main.py {command}" in readme or command == "run", command


def test_every_room_is_in_the_table_of_rooms() -> None:
    table = (ROOT / "CONTRIBUTING.md").read_text()
    for path in ROOT.glob("*.py"):
        assert f"`{path.name}`" in table, path.name


def test_requirements_are_pinned_exactly() -> None:
    for path in ROOT.glob("requirements*.txt"):
        for line in path.read_text().splitlines():
            text = line.split("#")[0].strip()
            assert not text or text.startswith("-r ") or re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][^ ]*", text), line
