"""The settings without their secrets, as a file that another user may read: config.public.yaml.

The dashboard runs as a user of its own on a server and reads this in place of config.yaml, which may hold keys. Written
where MARSSHOT_GROUP_READS says that there is such a user. What counts as a secret is what settings.py declares as one.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml
from pydantic import SecretStr

from marsshot.config.bot_files import PUBLIC_CONFIG
from marsshot.config.settings import Settings
from marsshot.infra.atomic_files import Disk, group_may_read, replace_atomically

_HEAD = (
    "# The settings that the bot goes by, without keys; it writes this file for the dashboard. Change config.yaml.\n"
)


class _Dumper(yaml.SafeDumper):
    """YAML that config/loader.py reads back to the same values: numbers exact, every text quoted."""


_Dumper.add_representer(Decimal, lambda dumper, value: dumper.represent_scalar("tag:yaml.org,2002:float", f"{value:f}"))
_Dumper.add_representer(str, lambda dumper, value: dumper.represent_scalar("tag:yaml.org,2002:str", value, style='"'))


def public_text(settings: Settings) -> str:
    """Return the settings as config.yaml would hold them, without secrets."""
    content = _without_secrets(settings.model_dump(exclude_none=True)) | {"mode": settings.set_mode}
    return _HEAD + yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True)


def write_public_copy(settings: Settings, disk: Disk) -> None:
    """Write the copy, where there is somebody to read it. Raises OSError; nothing of the bot depends on it."""
    if group_may_read():
        replace_atomically(disk, Path(PUBLIC_CONFIG), public_text(settings).encode())


def _without_secrets(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_secrets(one) for key, one in value.items() if not isinstance(one, SecretStr)}
    if isinstance(value, list | tuple):
        return [_without_secrets(one) for one in value if not isinstance(one, SecretStr)]
    return value
