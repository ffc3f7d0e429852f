"""config.public.yaml: the same settings, and no secret in it."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel, SecretStr

from marsshot.config.bot_files import PUBLIC_CONFIG as NAME
from marsshot.config.loader import read_settings
from marsshot.config.public_copy import public_text, write_public_copy
from marsshot.config.settings import Settings
from marsshot.infra.atomic_files import GROUP_READS_VARIABLE, Disk
from tests.helpers.builders import ROOT, D, some_settings

PUBLIC_CONFIG = Path(NAME)
KEY = "a-key-that-nobody-may-read-0123456789"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def secret_fields(model: type[BaseModel], *path: str) -> Iterator[tuple[tuple[str, ...], bool]]:
    """Yield where the settings hold a secret, and whether it is several."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from secret_fields(kind, *path, name)
        elif "SecretStr" in repr(kind):
            yield (*path, name), bool(get_args(kind))


def with_a_secret(settings: Settings, path: tuple[str, ...], several: bool) -> Settings:
    section, *rest = path
    value: Any = (SecretStr(f"{KEY}1"), SecretStr(f"{KEY}2")) if several else SecretStr(KEY)
    if rest:
        value = getattr(settings, section).model_copy(update={rest[0]: value})
    return settings.model_copy(update={section: value})


def read_back(settings: Settings) -> Settings:
    PUBLIC_CONFIG.write_text(public_text(settings))
    return read_settings(PUBLIC_CONFIG)


def test_the_dashboards_user_learns_of_test_money_by_the_host() -> None:
    settings = some_settings(mode="live", binance_api={"base_url": "https://demo-api.binance.com"})
    assert settings.mode == "test"
    assert read_back(settings).mode == "test"


@pytest.mark.parametrize(("path", "several"), list(secret_fields(Settings)), ids=str)
def test_no_secret_stands_in_it(path: tuple[str, ...], several: bool) -> None:
    settings = with_a_secret(some_settings(), path, several)
    assert any(KEY in secret for secret in settings.secrets)
    assert KEY not in public_text(settings)
    assert read_back(settings).secrets == ()


def test_every_kind_of_secret_is_found_by_this_test() -> None:
    found = {path for path, _ in secret_fields(Settings)}
    assert {("binance_api", "api_secret"), ("lunarcrush", "api_key"), ("heartbeat", "ping_url"), ("notify",)} <= found


def test_without_secrets_it_says_the_same_to_the_last_digit() -> None:
    shipped = read_settings(ROOT / "config.yaml")
    assert read_back(shipped) == shipped


def test_what_yaml_would_take_for_something_else_stays_what_it_is() -> None:
    settings = some_settings(
        tokens_daily=["NO", "1E5", "007", "ON", "1INCH"],
        symbols={"NO": {"lunarcrush": "null", "coinbase": "1E5"}},
        strategy=some_settings().strategy.model_dump() | {"capital_initial": D("1000000"), "stop_loss_pct": D("0.10")},
    )
    assert read_back(settings) == settings
    assert str(read_back(settings).strategy.stop_loss_pct) == "0.10"


def test_it_is_written_only_where_there_is_somebody_to_read_it(monkeypatch: pytest.MonkeyPatch) -> None:
    write_public_copy(some_settings(), Disk())
    assert not PUBLIC_CONFIG.exists()
    monkeypatch.setenv(GROUP_READS_VARIABLE, "1")
    write_public_copy(some_settings(), Disk())
    assert stat.S_IMODE(PUBLIC_CONFIG.stat().st_mode) == 0o640
