"""HTTPS to Binance: one table of root certificates for all connections, and every certificate is checked by it."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from marsshot.core.errors import InputError, TemporaryError
from marsshot.exchange.binance.exchange import BinanceExchange
from marsshot.infra.background import WorkerPool
from marsshot.infra.clock import VirtualClock
from marsshot.infra.tls import shared_ssl_context

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not on this machine")
BODY = b'{"serverTime": 1613347200000}'


class _Binance(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tls") / "localhost.pem"
    key = path.with_suffix(".key")
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    command: list[str | Path] = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-keyout",
        key,
        "-out",
        path,
    ]
    subprocess.run([*command, *subject], check=True, capture_output=True)
    path.write_bytes(path.read_bytes() + key.read_bytes())
    return path


@pytest.fixture(scope="module")
def port(certificate: Path) -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Binance)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def new_trust(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    shared_ssl_context.cache_clear()
    yield
    shared_ssl_context.cache_clear()


def exchange_at(url: str, monkeypatch: pytest.MonkeyPatch) -> BinanceExchange:
    monkeypatch.setattr(
        "marsshot.exchange.binance.connection.is_loopback_origin", lambda _: False
    )  # as for Binance: the environment counts
    clock = VirtualClock(datetime(2021, 2, 15, tzinfo=UTC))
    return BinanceExchange(api_key="k", api_secret="s", base_url=url, clock=clock, worker_pool=WorkerPool(1, "ticker"))


def test_a_certificate_that_nobody_vouches_for_is_refused(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TemporaryError, match="SSLError"):
        exchange_at(f"https://localhost:{port}", monkeypatch).server_ms()


def test_a_certificate_that_the_environment_trusts_is_taken(
    port: int, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    assert exchange_at(f"https://localhost:{port}", monkeypatch).server_ms() == 1613347200000


def test_a_certificate_for_another_host_is_refused(
    port: int, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    with pytest.raises(TemporaryError, match="SSLError"):
        exchange_at(f"https://127.0.0.1:{port}", monkeypatch).server_ms()


def test_what_the_environment_names_is_trusted_alone(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(shared_ssl_context().get_ca_certs()) > 100, "certifi's"
    shared_ssl_context.cache_clear()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    [trusted] = shared_ssl_context().get_ca_certs()
    assert trusted["subject"] == ((("commonName", "localhost"),),)


def test_a_bundle_that_is_not_there_or_holds_nothing_is_said_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in (tmp_path / "absent.pem", tmp_path / "empty.pem"):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(path))
        with pytest.raises(InputError, match=f"{path}: cannot be read: "):
            shared_ssl_context()
        (tmp_path / "empty.pem").touch()


def test_all_connections_check_by_one_table(monkeypatch: pytest.MonkeyPatch) -> None:
    exchange = exchange_at("https://api.binance.com", monkeypatch)
    contexts = {
        connection.client.session.get_adapter("https://api.binance.com/api").poolmanager.connection_pool_kw[
            "ssl_context"
        ]
        for connection in (exchange._connection, exchange._price_connection)
    }
    [context] = contexts
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
