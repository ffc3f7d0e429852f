"""Addresses in config.yaml: what is an origin."""

from __future__ import annotations

from pathlib import Path

import pytest

from marsshot.config.loader import check_settings
from tests.helpers.config_faults import changed, faults


@pytest.mark.parametrize("section", ["lunarcrush", "coinbase", "binance_api"])
@pytest.mark.parametrize(
    "url",
    [
        "https://api.binance.us",
        "https://api.binance.com/",
        "https://api.binance.com:8443",
        "http://127.0.0.1:8080",
        "http://127.8.0.1",
        "http://localhost:8080/",
        "http://[::1]:8080",
    ],
)
def test_an_origin_is_an_address(section: str, url: str) -> None:
    settings = check_settings(changed(f"{section}.base_url", url), Path("config.yaml"), {})
    assert getattr(settings, section).base_url == url.rstrip("/")


@pytest.mark.parametrize("section", ["lunarcrush", "coinbase", "binance_api"])
@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("http://api.binance.com", "plain http is accepted for this machine (127.0.0.1) only; use https"),
        ("http://192.168.0.2:8080", "plain http is accepted for this machine (127.0.0.1) only; use https"),
        ("http://localhost.example.com", "plain http is accepted for this machine (127.0.0.1) only; use https"),
        ("http://0.0.0.0", "plain http is accepted for this machine (127.0.0.1) only; use https"),
        ("https://api.binance.com/api", "only scheme, host and port are allowed"),
        ("https://api.binance.com/?a=b", "only scheme, host and port are allowed"),
        ("https://api.binance.com#top", "only scheme, host and port are allowed"),
        ("https://api.binance.com:port", "the port is not a number"),
        ("api.binance.com", "an origin is needed, such as https://api.example.com"),
        ("ftp://api.binance.com", "an origin is needed, such as https://api.example.com"),
        ("https://", "an origin is needed, such as https://api.example.com"),
        ("", "an origin is needed, such as https://api.example.com"),
    ],
)
def test_what_is_no_origin_is_told(section: str, url: str, allowed: str) -> None:
    assert faults(changed(f"{section}.base_url", url)) == [f"{section}.base_url: {url!r} is not allowed; {allowed}"]


@pytest.mark.parametrize("url", ["https://api.binance.com?", "https://api.binance.com/#", "https://api binance.com"])
def test_nothing_but_an_origin_is_an_origin(url: str) -> None:
    assert faults(changed("binance_api.base_url", url)) != []
