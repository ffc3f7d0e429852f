"""A config.yaml of a test's making, and the lines that say what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from marsshot.config.loader import check_settings, read_settings
from marsshot.core.errors import InputError
from tests.helpers.builders import seed_content

SEED = """\
mode: live
tokens_daily:
  - "FET"
  - "AGIX"
  - "ARB"
  - "OP"
strategy:
  capital_initial: 1000.0
  buy_threshold: 0.70
  sell_threshold: 0.30
  stop_loss_pct: 0.50
  partial_take_profit_pct: 1.0
  partial_take_profit_ratio: 0.20
  trailing_trigger_pct: 3.0
  trailing_pct: 0.30
  big_gain_exception_pct: 4.0
  check_interval_seconds: 300
  daily_update_hour_utc: 0
lunarcrush: {api_key: "from the file"}
binance_api: {api_key: "from the file", api_secret: "from the file"}
logging: {file: bot.log}
""".replace("from the file", "from-the-file")


def written(folder: Path, text: str) -> Path:
    """Write the text as config.yaml; return its path."""
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def changed(key: str, value: Any, **besides: Any) -> dict[str, Any]:
    """Return the owner's file with one value put in place, dots leading into sections."""
    content = seed_content()
    for name, one in {key: value, **besides}.items():
        *sections, last = name.split(".")
        within = content
        for section in sections:
            within[section] = dict(within.get(section, {}))
            within = within[section]
        within[last] = one
    return content


def faults(content: object, environment: dict[str, str] | None = None) -> list[str]:
    """Return the fault lines, without the file's name; none where the content is accepted."""
    try:
        check_settings(content, Path("config.yaml"), environment or {})
    except InputError as error:
        assert all("\n" not in line and line.startswith("config.yaml: ") for line in error.faults)
        return [line.removeprefix("config.yaml: ") for line in error.faults]
    return []


def faults_of_text(folder: Path, text: str) -> list[str]:
    """Return the fault lines of a file with this text, without its name."""
    path = written(folder, text)
    with pytest.raises(InputError) as caught:
        read_settings(path)
    assert all("\n" not in line for line in caught.value.faults)
    return [line.removeprefix(f"{path}") for line in caught.value.faults]
