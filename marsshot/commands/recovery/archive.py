"""The archive of `main.py backup`: a tar file with a manifest of sha256 checksums. Bytes in, bytes out.

What is read from an archive is believed only where the manifest, the checksums and the list of names agree.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, get_args

from marsshot.config.bot_files import Mode
from marsshot.core.catalog import LocalizedText
from marsshot.core.errors import InputError
from marsshot.core.moments import utc_text
from marsshot.core.version import VERSION

MANIFEST = "manifest.json"
FORMAT = 1
MAX_MEMBER_BYTES = 2_000_000_000
_PRIVATE = 0o600


@dataclass(frozen=True, slots=True)
class SavedFile:
    """One file of an archive, with the time of its last change (unix seconds)."""

    content: bytes
    changed_at: float


@dataclass(frozen=True, slots=True)
class Archive:
    """What an archive holds: files by name, and the mode of the bot that they are of."""

    mode: Mode
    files: Mapping[str, SavedFile]


def pack(archive: Archive, now: datetime) -> bytes:
    """Return the archive as the bytes of a tar file, the manifest first."""
    manifest = {
        "format": FORMAT,
        "program": VERSION,
        "mode": archive.mode,
        "made_at": utc_text(now),
        "files": {
            name: {
                "sha256": sha256(saved.content).hexdigest(),
                "bytes": len(saved.content),
                "changed_at": saved.changed_at,
            }
            for name, saved in archive.files.items()
        },
    }
    first = SavedFile(f"{json.dumps(manifest, indent=1)}\n".encode(), now.timestamp())
    text = io.BytesIO()
    with tarfile.open(fileobj=text, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, saved in {MANIFEST: first, **archive.files}.items():
            member = tarfile.TarInfo(name)
            member.size, member.mtime, member.mode = len(saved.content), int(saved.changed_at), _PRIVATE
            tar.addfile(member, io.BytesIO(saved.content))
    return text.getvalue()


def unpack(content: bytes, path: str, names_of: Mapping[Mode, Collection[str]]) -> Archive:
    """Return what an archive holds. names_of: by mode, the file names that may be in one.

    Raises InputError for anything else than what `pack` writes: another name, a link, a checksum that is wrong.
    """
    members = _members(content, path)
    manifest = _manifest(members.pop(MANIFEST, b""), path)
    mode, facts = manifest["mode"], manifest["files"]
    allowed = names_of[mode]
    if unsafe := next((name for name in (*members, *facts) if name not in allowed), None):
        raise InputError(LocalizedText("restore.unsafe_name", path=path, name=ascii(unsafe)[:100]))
    if missing := next(iter(facts.keys() ^ members.keys()), None):
        raise InputError(LocalizedText("restore.incomplete", path=path, name=missing))
    for name, member in members.items():
        if sha256(member).hexdigest() != facts[name]["sha256"]:
            raise InputError(LocalizedText("restore.wrong_checksum", path=path, name=name))
    return Archive(mode, {name: SavedFile(member, facts[name]["changed_at"]) for name, member in members.items()})


def _members(content: bytes, path: str) -> dict[str, bytes]:
    """Return the members' contents by name: plain files, each once, none taken out by tarfile itself."""
    members: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as tar:
            for member in tar:
                file = tar.extractfile(member) if member.isreg() and member.size <= MAX_MEMBER_BYTES else None
                if file is None or member.name in members:
                    raise InputError(LocalizedText("restore.unsafe_name", path=path, name=ascii(member.name)[:100]))
                members[member.name] = file.read()
    except (tarfile.TarError, EOFError, OSError, ValueError):
        raise InputError(LocalizedText("restore.no_archive", path=path)) from None
    return members


def _manifest(content: bytes, path: str) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads(content)
        is_known = manifest["format"] == FORMAT and manifest["mode"] in get_args(Mode)
        for facts in manifest["files"].values():
            is_known = is_known and isinstance(facts["sha256"], str) and isinstance(facts["changed_at"], float | int)
    except (ValueError, LookupError, TypeError, AttributeError):
        raise InputError(LocalizedText("restore.no_archive", path=path)) from None
    if not is_known:
        raise InputError(LocalizedText("restore.other_format", path=path, known=FORMAT))
    return manifest
