"""No secret of this machine reaches a test of the settings."""

from __future__ import annotations

import pytest

from marsshot.config.secret_values import SECRET_VARIABLES


@pytest.fixture(autouse=True)
def _no_secrets_around(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in SECRET_VARIABLES:
        monkeypatch.delenv(variable, raising=False)
