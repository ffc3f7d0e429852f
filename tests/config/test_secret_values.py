"""Keys and other secrets: what one may hold, that the environment wins, and that none is ever told."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from marsshot.config.loader import check_settings, read_settings
from marsshot.config.secret_values import SECRET_VARIABLES
from tests.helpers.builders import seed_content, some_settings
from tests.helpers.config_faults import SEED, changed, faults, faults_of_text, written

D = Decimal


# --------------------------------------------------------------------------- keys


ODD_SIGNS = {
    "\u200b": "U+200B",  # zero width space
    "\u201c": "U+201C",  # typographic quotes
    "\u201d": "U+201D",
    "\u2019": "U+2019",
    "\u00a0": "U+00A0",  # no-break space
    "\ufeff": "U+FEFF",  # byte order mark
    "\u202e": "U+202E",  # right-to-left override
    "\u0430": "U+0430",  # a Cyrillic a
    "é": "U+00E9",
    " ": "U+0020",
    "\x1b": "U+001B",
    "\udcff": "U+DCFF",  # a byte of the environment that is no UTF-8
}
KEYS = [".".join(place) for place in SECRET_VARIABLES.values() if place[1] != "ping_url"]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize(("sign", "name"), ODD_SIGNS.items())
def test_a_sign_that_no_key_holds_is_named_by_place_and_code_point(key: str, sign: str, name: str) -> None:
    (line,) = faults(changed(key, f"Zq12{sign}34"))
    assert line.startswith(f"{key}: the value (not shown) is not allowed; character 5 is {name}, ")
    assert "Zq12" not in line
    assert line.isprintable()


@pytest.mark.parametrize("variable", [name for name, place in SECRET_VARIABLES.items() if place[1] != "ping_url"])
@pytest.mark.parametrize(("sign", "name"), ODD_SIGNS.items())
def test_of_an_odd_key_in_the_environment_the_variable_is_named(variable: str, sign: str, name: str) -> None:
    (line,) = faults(seed_content(), {variable: f"Zq{sign}1"})
    assert line.startswith(
        f"environment variable {variable}: the value (not shown) is not allowed; character 3 is {name}"
    )
    assert "Zq" not in line


@pytest.mark.parametrize(
    ("text", "place"), [("\u201ckey\u201d", 1), ("key\u00a0", 4), ("\ufeffkey", 1), ("  key\u200b\n", 6)]
)
def test_signs_around_a_key_count_from_its_first_character(text: str, place: int) -> None:
    (line,) = faults(changed("binance_api.api_secret", text))
    assert f"character {place} is U+" in line


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1))
def test_every_printable_sign_of_ascii_may_stand_in_a_key(key: str) -> None:
    settings = check_settings(changed("binance_api.api_key", key), Path("config.yaml"), {})
    assert settings.binance_api.api_key.get_secret_value() == key


@pytest.mark.parametrize("by_variable", [False, True])
def test_an_address_for_messages_may_have_letters_of_any_language_but_no_invisible_sign(by_variable: bool) -> None:
    def told(url: str) -> list[str]:
        content = seed_content() | ({} if by_variable else {"notify": [url]})
        return faults(content, {"MARSSHOT_NOTIFY": url} if by_variable else {})

    assert told("mailto://user:pässword@example.org") == []
    (line,) = told("tgram://123\u200b456/789")
    assert line.startswith("notify.0: the value (not shown) is not allowed; character 12 is U+200B, ")


# --------------------------------------------------------------------------- environment


# Those that have a form of their own.
WELL_FORMED = {
    "MARSSHOT_PING_URL": "https://from-the-environment",
    "TELEGRAM_TOKEN": "123456789:from-the-environment",
    "TELEGRAM_CHAT_ID": "71000001",
}


@pytest.mark.parametrize(("variable", "path"), SECRET_VARIABLES.items())
def test_the_environment_wins_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, path: tuple[str, str]
) -> None:
    given = WELL_FORMED.get(variable, "from-the-environment")
    monkeypatch.setenv(variable, given)
    settings = read_settings(written(tmp_path, SEED))
    section, key = path
    assert getattr(getattr(settings, section), key).get_secret_value() == given
    assert given in settings.secrets


@pytest.mark.parametrize("empty", ["", "  ", "\n"])
def test_an_empty_variable_counts_as_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, empty: str) -> None:
    monkeypatch.setenv("LUNARCRUSH_API_KEY", empty)
    assert read_settings(written(tmp_path, SEED)).lunarcrush.api_key.get_secret_value() == "from-the-file"


@pytest.mark.parametrize("section", [{}, {"lunarcrush": None}, {"lunarcrush": {}}])
def test_a_variable_does_without_its_section(section: dict[str, Any]) -> None:
    settings = check_settings(seed_content() | section, Path("config.yaml"), {"LUNARCRUSH_API_KEY": "key"})
    assert settings.lunarcrush.api_key.get_secret_value() == "key"
    assert settings.lunarcrush.base_url == "https://lunarcrush.com"


def test_a_key_is_taken_without_the_blanks_around_it() -> None:
    content = changed("lunarcrush.api_key", " key\n")
    assert check_settings(content, Path("config.yaml"), {}).lunarcrush.api_key.get_secret_value() == "key"


def test_missing_keys_name_the_key_and_the_variable() -> None:
    lines = some_settings().missing_keys("lunarcrush.api_key", "binance_api.api_secret")
    assert [line.split(":")[0] for line in lines] == ["lunarcrush.api_key", "binance_api.api_secret"]
    assert "LUNARCRUSH_API_KEY" in lines[0]
    assert "BINANCE_API_SECRET" in lines[1]
    assert not some_settings(lunarcrush={"api_key": "key"}).missing_keys("lunarcrush.api_key")


# --------------------------------------------------------------------------- secrets

# Begun with two letters of its own: no secret is by chance a word of a message, or the mask that stands for it.
_SECRETS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=40).map("Zq{}".format)
_WRAPPINGS = st.sampled_from([lambda s: s, lambda s: f"two {s}", lambda s: [s], lambda s: {s: s}, lambda s: {"a": [s]}])


@given(secret=_SECRETS, wrap=_WRAPPINGS, place=st.sampled_from(sorted(SECRET_VARIABLES)), by_variable=st.booleans())
@hypothesis_settings(deadline=None)
def test_no_message_ever_holds_a_secret(secret: str, wrap: Any, place: str, by_variable: bool) -> None:
    section, key = SECRET_VARIABLES[place]
    wrong = {"base_url": "http://example.com", "unknown": 1, "requests_per_minute": D("0.5")}
    content = seed_content() | {section: wrong | ({} if by_variable else {key: wrap(secret)}), "logging": []}
    environment = {place: f"two {secret}"} if by_variable else {}
    lines = faults(content, environment)
    assert len(lines) >= 3
    assert not any(secret in line for line in lines)


@given(secret=_SECRETS)
@hypothesis_settings(deadline=None)
def test_settings_do_not_show_their_secrets(secret: str) -> None:
    environment = (
        dict.fromkeys(SECRET_VARIABLES, secret) | WELL_FORMED | {"MARSSHOT_PING_URL": f"https://hc-ping.com/{secret}"}
    )
    settings = check_settings(seed_content(), Path("config.yaml"), environment)
    assert settings.secrets == tuple(environment.values())
    assert secret not in repr(settings)
    assert secret not in str(settings)
    assert secret not in settings.model_dump_json()


@pytest.mark.parametrize(
    "slip",
    [
        "lunarcrush:\n  api_key:SeCrEt12345\n",  # no blank after the colon
        "lunarcrush:\n  api_key = SeCrEt12345\n",
        "lunarcrush: SeCrEt12345\n",
        "lunarcrush: [SeCrEt12345]\n",
        "lunarcrush: {api_key:SeCrEt12345}\n",
        'lunarcrush: {api_key:"SeCrEt12345"}\n',
        "lunarcrush:\n  api_key: *SeCrEt12345\n",
        "lunarcrush:\n  api_key: !SeCrEt12345\n",
        "lunarcrush:\n  base_url: https://me:SeCrEt12345@lunarcrush.com\n",
    ],
)
def test_a_slip_of_the_pen_does_not_show_the_secret(tmp_path: Path, slip: str) -> None:
    text = re.sub(r"^lunarcrush:.*\n", slip, SEED, flags=re.MULTILINE)
    assert not any("SeCrEt12345" in line for line in faults_of_text(tmp_path, text))


# --------------------------------------------------------------------------- the ping URL


@pytest.mark.parametrize("url", ["https://hc-ping.com/x", "http://127.0.0.1:8000/x", "http://localhost/x", ""])
def test_a_ping_url_is_https_or_of_this_machine(url: str) -> None:
    settings = check_settings(changed("heartbeat.ping_url", url), Path("config.yaml"), {})
    assert settings.heartbeat.ping_url.get_secret_value() == url


@pytest.mark.parametrize(
    "url", ["http://hc-ping.com/x", "hc-ping.com/x", "ftp://127.0.0.1/", "https://", "https://a:b/", 5]
)
def test_another_ping_url_is_refused_and_not_shown(url: object) -> None:
    (line,) = faults(changed("heartbeat.ping_url", url))
    assert "heartbeat.ping_url: the value (not shown) is not allowed; " in line
