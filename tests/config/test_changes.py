"""What differs between two readings of config.yaml, what a running bot takes up of it, and that no secret is shown."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import SecretStr

from marsshot.config.changes import TAKEN_UP_UNDER_WAY, plain_settings, setting_changes, settings_in_force
from marsshot.config.settings import Settings
from tests.helpers.builders import D, some_settings

OLD = some_settings()


def changed(section: str, **values: Any) -> Settings:
    return OLD.model_copy(update={section: getattr(OLD, section).model_copy(update=values)})


def test_a_change_has_key_old_and_new_value() -> None:
    (change,) = setting_changes(OLD, changed("strategy", stop_loss_pct=D("0.25")))
    assert (change.key, change.old, change.new, change.needs_restart) == (
        "strategy.stop_loss_pct",
        "0.5",
        "0.25",
        False,
    )


def test_the_same_number_written_otherwise_is_no_change() -> None:
    assert setting_changes(OLD, changed("strategy", stop_loss_pct=D("0.5000"))) == []


@pytest.mark.parametrize(
    "new",
    [
        OLD.model_copy(update={"mode": "live" if OLD.mode != "live" else "paper"}),
        OLD.model_copy(update={"quote_asset": "USDC"}),
        OLD.model_copy(update={"data_source": "binance"}),
        changed("binance_api", base_url="https://api1.binance.com"),
        changed("binance_api", api_key=SecretStr("another-key")),
        changed("coinbase", base_url="https://api2.coinbase.com"),
        changed("lunarcrush", api_key=SecretStr("another-key")),
        changed("logging", file="other.log"),
    ],
)
def test_mode_venues_keys_and_file_names_need_a_restart(new: Settings) -> None:
    (change,) = setting_changes(OLD, new)
    assert change.needs_restart
    assert settings_in_force(OLD, new) == OLD


def test_everything_else_is_in_force() -> None:
    assert set(TAKEN_UP_UNDER_WAY) <= set(Settings.model_fields)
    new = changed("strategy", buy_threshold=D("0.9")).model_copy(
        update={"tokens_daily": ("LINK",), "language": "fr", "mode": "live"}
    )
    in_force = settings_in_force(OLD, new)
    assert (in_force.tokens_daily, in_force.language, in_force.mode) == (("LINK",), "fr", OLD.mode)
    assert in_force.strategy.buy_threshold == D("0.9")


def test_no_secret_is_shown() -> None:
    secret = SecretStr("tgram://very-secret")
    new = changed("binance_api", api_secret=secret).model_copy(
        update={"notify": (secret,), "heartbeat": OLD.heartbeat.model_copy(update={"ping_url": secret})}
    )
    told = str(setting_changes(OLD, new)) + str(setting_changes(new, OLD)) + str(plain_settings(new))
    assert "very-secret" not in told
    assert {change.key for change in setting_changes(OLD, new)} == {
        "binance_api.api_secret",
        "notify",
        "heartbeat.ping_url",
    }
