"""python-binance without what the bot has no use for: put off, not taken away."""

from __future__ import annotations

import subprocess
import sys

from tests.helpers.builders import ROOT

HEAVY = ("aiohttp", "regex", "binance.async_client", "binance.ws.streams", "Crypto.Math.Numbers")


def in_a_new_process(code: str) -> str:
    """Return what a program prints; this process has loaded python-binance already."""
    command = [sys.executable, "-W", "ignore", "-c", code]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


def test_the_daemon_loads_neither_asyncio_client_nor_websockets_nor_date_parser() -> None:
    assert in_a_new_process(f"import sys, main; print([name for name in {HEAVY} if name in sys.modules])") == "[]"


def test_who_asks_for_the_whole_package_gets_it_with_the_same_client_and_errors() -> None:
    code = """if True:
        from marsshot.exchange.binance import client
        import binance
        assert binance.AsyncClient.__module__ == "binance.async_client"
        assert binance.Client is client.Client
        import binance as again
        from binance.exceptions import BinanceAPIException
        assert again.exceptions.BinanceAPIException is BinanceAPIException is client.BinanceAPIException
        print(again.__file__.endswith("__init__.py"))
    """
    assert in_a_new_process(code) == "True"


def test_what_python_binance_does_with_words_for_dates_still_works() -> None:
    code = (
        "from marsshot.exchange.binance import client; from binance.helpers import date_to_milliseconds as of; "
        "print(of('1 Jan 2020 UTC'))"
    )
    assert in_a_new_process(code) == "1577836800000"


def test_who_signs_with_a_key_of_another_kind_still_can() -> None:
    code = """if True:
        from marsshot.exchange.binance.client import Client
        from Crypto.PublicKey import ECC, RSA
        for key in (ECC.generate(curve="ed25519").export_key(format="PEM"), RSA.generate(1024).export_key().decode()):
            print(bool(Client("key", "", private_key=key, ping=False)._generate_signature({"symbol": "ADAUSDT"})))
    """
    assert in_a_new_process(code) == "True\nTrue"


def test_a_package_that_is_loaded_already_stays_what_it_is() -> None:
    code = (
        "import binance; from marsshot.exchange.binance import client; "
        "print(type(binance).__name__, binance.Client is client.Client)"
    )
    assert in_a_new_process(code) == "module True"


def test_a_text_without_an_encoding_is_guessed_at_as_ever() -> None:
    code = """if True:
        import marsshot.infra.bounded_http, requests, sys
        print("charset_normalizer.api" in sys.modules)
        answer = requests.Response()
        answer._content = "Привет, как дела? Сегодня хорошая погода.".encode("cp1251") * 5
        print(answer.text.startswith("Привет"), "charset_normalizer.api" in sys.modules)
    """
    assert in_a_new_process(code) == "False\nTrue True"


def test_a_package_that_is_not_there_is_not_made_up() -> None:
    code = """if True:
        import sys
        from marsshot.infra.lazy_modules import lazy_import
        lazy_import("nosuch")
        print("nosuch" in sys.modules)
    """
    assert in_a_new_process(code) == "False"
