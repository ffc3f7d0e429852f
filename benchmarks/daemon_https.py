"""The daemon over HTTPS, and what its two memory savers are worth: the same with each of them taken away.

    python benchmarks/daemon_https.py [--positions 50] [--repeats 2]

A TLS proxy stands before the stub market; its certificate is made anew (openssl) and trusted beside certifi's list.
Memory as in daemon.py: resident, in MB of a million bytes, between two checks after a daily pass; the median run.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import sleep
from urllib.parse import urlsplit

import certifi
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.daemon import daemon, log_of, megabytes, put_model, until  # noqa: E402 - after the path
from benchmarks.stub_market import StubMarket  # noqa: E402
from marsshot.config.exchanges import ExchangeName  # noqa: E402

WITHOUT = {
    "as it is, at Binance": "",
    "a table of certificates for each connection": "tls.shared_ssl_context = tls.shared_ssl_context.__wrapped__",
    "a heap for each thread, freed memory kept": (
        "malloc.use_single_arena = lambda: None; malloc.trim_heap = lambda: True"
    ),
}
WITHOUT["neither"] = "; ".join(change for change in WITHOUT.values() if change)


def main() -> None:
    """Measure, and show."""
    parser = argparse.ArgumentParser(description="Measure the daemon at rest over HTTPS.")
    parser.add_argument("--positions", type=int, default=50)
    parser.add_argument("--repeats", type=int, default=2)
    arguments = parser.parse_args()
    table = Table("", "resident, MB", title="between two passes, over HTTPS", title_justify="left")
    with tempfile.TemporaryDirectory() as folder, StubMarket(arguments.positions, 366) as market:
        os.chdir(folder)
        put_model()
        with tls_proxy(market.url) as url:
            market.url = url
            for name, change in WITHOUT.items():
                found = [resident(market, arguments.positions, change) for _ in range(arguments.repeats)]
                table.add_row(name, f"{statistics.median(found):.1f}")
            found = [resident(market, arguments.positions, "", "bitvavo") for _ in range(arguments.repeats)]
            table.add_row("as it is, at Bitvavo", f"{statistics.median(found):.1f}")
    Console().print(table)


def resident(market: StubMarket, positions: int, change: str, exchange: ExchangeName = "binance") -> float:
    """Return what a daemon holds after its daily pass, changed by a line of Python before it starts."""
    code = f"import runpy, sys; sys.path.insert(0, {str(ROOT)!r}); from marsshot.infra import malloc, tls; {change}\n"
    program = ["-c", f"{code}runpy.run_path({str(ROOT / 'main.py')!r}, run_name='__main__')"]
    with daemon(market, positions, exchange, pass_done=False, program=program, check_interval_seconds=30) as process:
        until(lambda: "daily.done" in log_of(process), seconds=300)
        sleep(40)  # one check at least
        return megabytes(process)[0]


@contextmanager
def tls_proxy(target: str) -> Iterator[str]:
    """Yield the HTTPS address that stands before an HTTP one; what this process starts trusts it meanwhile."""
    certificate = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    command = ["openssl", *certificate.split(), "-keyout", "key.pem", "-out", "cert.pem"]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - our own
    bundle = Path("bundle.pem").absolute()
    bundle.write_bytes(Path(certifi.where()).read_bytes() + Path("cert.pem").read_bytes())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain("cert.pem", "key.pem")
    loop, address = asyncio.new_event_loop(), urlsplit(target)

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onward = await asyncio.open_connection(address.hostname, address.port)
        await asyncio.gather(_copy(reader, onward[1]), _copy(onward[0], writer))

    server = loop.run_until_complete(asyncio.start_server(forward, "127.0.0.1", 0, ssl=context))
    threading.Thread(target=loop.run_forever, daemon=True).start()
    os.environ["REQUESTS_CA_BUNDLE"] = str(bundle)
    try:
        yield f"https://localhost:{server.sockets[0].getsockname()[1]}"
    finally:
        del os.environ["REQUESTS_CA_BUNDLE"]
        loop.call_soon_threadsafe(loop.stop)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while content := await reader.read(65536):
            writer.write(content)
            await writer.drain()
    writer.close()


if __name__ == "__main__":
    main()
