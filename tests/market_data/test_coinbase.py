"""The price to go by: Coinbase's, checked against Binance's, over a stub that answers well, badly or not at all."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import SimpleQueue
from typing import cast

import pytest

from embedded_market import EmbeddedMarket, MarketServer
from marsshot.core.catalog import Catalog
from marsshot.core.errors import TemporaryError
from marsshot.exchange.base import Exchange, PricesCallback
from marsshot.market_data import coinbase
from marsshot.market_data.coinbase import (
    Coinbase,
    MissingPrice,
    MissingPriceReason,
    PriceRequested,
    SpotAnswer,
    SpotPrice,
    read_spot_price,
)
from marsshot.market_data.price_aggregator import PriceSource, Quote, choose_price, fetch_prices_for_symbols
from tests.helpers.builders import D, some_settings
from tests.helpers.builders import spot as spot_price
from tests.helpers.french_text import plain

# --------------------------------------------------------------------------- reading an answer


def answer(amount: str, base: str = "FET", currency: str = "USD") -> bytes:
    return f'{{"data":{{"amount":{amount},"base":"{base}","currency":"{currency}"}}}}'.encode()


@pytest.mark.parametrize(
    ("amount", "price"),
    [
        ('"0.5234"', "0.5234"),
        ('"97123.455"', "97123.455"),
        ('"0.00000123450000"', "0.0000012345"),
        ('"1"', "1"),
        ('"1.2E-7"', "0.00000012"),
        # A number instead of a text is read as the decimal of its text.
        ("0.1000000000000000055511151231", "0.1000000000000000055511151231"),
        ("3", "3"),
    ],
)
def test_a_price_is_the_decimal_of_its_text(amount: str, price: str) -> None:
    assert read_spot_price(answer(amount), "FET") == SpotPrice(D(price))


def test_an_answer_with_more_in_it_is_read() -> None:
    body = b'{"data":{"amount":"2.5","base":"FET","currency":"USD","id":"x"},"warnings":[{"id":"old"}]}'
    assert read_spot_price(body, "FET") == SpotPrice(D("2.5"))
    assert read_spot_price(answer('"2.5"', base="fet", currency="usd"), "FET") == SpotPrice(D("2.5"))


@pytest.mark.parametrize("amount", ['"0"', '"0.00"', "0", '"-1"', "-1", '"NaN"', "NaN", '"Infinity"', "-Infinity"])
def test_a_price_of_nothing_is_no_usable_price(amount: str) -> None:
    assert read_spot_price(answer(amount), "FET") == MissingPrice(MissingPriceReason.ODD_PRICE)


@pytest.mark.parametrize("amount", ['"text"', '""', '"1,5"', "null", "true", "false", "[]", "{}", '["1"]', '"0x1"'])
def test_a_price_that_is_no_number_is_no_price(amount: str) -> None:
    assert read_spot_price(answer(amount), "FET") == MissingPrice(MissingPriceReason.NO_PRICE)


@pytest.mark.parametrize(("base", "currency"), [("BTC", "USD"), ("FET", "EUR"), ("", "USD"), ("FETUSD", "USD")])
def test_the_price_of_another_pair_is_not_taken(base: str, currency: str) -> None:
    assert read_spot_price(answer('"1"', base=base, currency=currency), "FET") == MissingPrice(
        MissingPriceReason.OTHER_PAIR
    )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html></html>",
        b"[]",
        b"{}",
        b"null",
        b'"text"',
        b'{"data":[]}',
        b'{"data":null}',
        b'{"data":"1"}',
        b'{"data":{}}',
        b'{"data":{"amount":"1","base":null}}',
        b'{"data":{"amount":"1","base":7}}',
        b'{"data":{"amount":"1"',
        b"\xff\xfe\xfd",
        b'{"errors":[{"id":"not_found","message":"Invalid base currency"}]}',
    ],
)
def test_nonsense_is_no_price(body: bytes) -> None:
    assert read_spot_price(body, "FET") == MissingPrice(MissingPriceReason.NO_PRICE)


def test_a_nested_answer_is_no_price() -> None:
    assert read_spot_price(b"[" * 200_000, "FET") == MissingPrice(MissingPriceReason.NO_PRICE)


@pytest.mark.parametrize("amount", ["1E+9999999", "1E-9999999", "1" * 500])
def test_a_price_that_cannot_be_calculated_with_is_not_usable(amount: str) -> None:
    assert isinstance(read_spot_price(answer(f'"{amount}"'), "FET"), MissingPrice)


# --------------------------------------------------------------------------- choosing


@pytest.mark.parametrize(
    ("spot", "source"),
    [
        ("1", "Coinbase"),
        ("1.1", "Coinbase"),
        ("1.10000001", "exchange"),
        ("0.9", "Coinbase"),
        ("0.89999999", "exchange"),
        ("100", "exchange"),
        ("0.00000001", "exchange"),
    ],
)
def test_coinbase_counts_up_to_ten_per_cent_from_binance(spot: str, source: str) -> None:
    quote = choose_price(spot_price(spot), D(1), D("0.10"))
    assert quote.source == source
    assert quote.price == (D(spot) if source == "Coinbase" else 1)
    assert bool(quote.note) is (source == "exchange")


def test_the_divergence_is_relative_to_binances_price() -> None:
    assert choose_price(spot_price("110"), D("100"), D("0.10")).source == "Coinbase"
    assert (
        choose_price(spot_price("100"), D("110.1"), D("0.10")).source == "Coinbase"
    )  # 9.2 % of 110.1, though 10.1 % of 100
    assert choose_price(spot_price("100"), D("111.2"), D("0.10")).source == "exchange"


@pytest.mark.parametrize(("limit", "english", "french"), [("0.10", "10.0", "10,0"), ("0.125", "12.5", "12,5")])
def test_how_far_off_is_too_far_is_told(limit: str, english: str, french: str) -> None:
    note = choose_price(spot_price("2"), D(1), D(limit)).note
    assert note == f"Coinbase is more than {english} % off; Binance's price is used"
    told = plain(Catalog("fr").render(note))
    assert told == f"Coinbase s'écarte de plus de {french} % ; c'est le prix de Binance qui compte"


@pytest.mark.parametrize(
    ("missing", "why"),
    [
        (MissingPrice(MissingPriceReason.UNKNOWN), "does not know it"),
        (MissingPrice(MissingPriceReason.ANSWERED, ("status", 500)), "answered 500"),
        (MissingPrice(MissingPriceReason.ODD_PRICE), "gave no usable price"),
    ],
)
def test_where_coinbase_has_none_binances_price_counts_and_is_told(missing: MissingPrice, why: str) -> None:
    assert choose_price(missing, D(2), D("0.10")) == Quote(
        D(2), PriceSource.EXCHANGE, f"Coinbase {why}; Binance's price is used", missing=missing.reason
    )


def test_where_binance_has_none_coinbases_price_counts_and_is_told() -> None:
    quote = choose_price(spot_price("2"), None, D("0.10"))
    assert (quote.price, quote.source) == (D(2), "Coinbase")
    assert "Binance has no price" in quote.note


def test_with_neither_there_is_no_price() -> None:
    quote = choose_price(MissingPrice(MissingPriceReason.ANSWERED, ("status", 500)), None, D("0.10"))
    assert (quote.price, quote.source) == (None, None)
    assert "answered 500" in quote.note


def test_the_distance_is_not_rounded() -> None:
    assert choose_price(spot_price("1.10000000000000000000000000000001"), D(1), D("0.10")).source == "exchange"


# --------------------------------------------------------------------------- over the wire

StubReply = Callable[[BaseHTTPRequestHandler], None]


def says(body: bytes, status: int = 200, **headers: str) -> StubReply:
    def reply(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return reply


class StubServer:
    """Coinbase on loopback: one reply per path; everything else is 404."""

    def __init__(self) -> None:
        self.replies: dict[str, StubReply] = {}
        self.asked: list[str] = []
        self.connections: set[object] = set()
        self.over = threading.Event()
        stub_server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                stub_server.asked.append(self.path)
                stub_server.connections.add(self.client_address)
                stub_server.replies.get(self.path, says(b'{"errors":[]}', 404))(self)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def quotes(self, asset: str, amount: str) -> None:
        self.replies[f"/v2/prices/{asset}-USD/spot"] = says(answer(f'"{amount}"', base=asset))

    def replies_with(self, asset: str, reply: StubReply) -> None:
        self.replies[f"/v2/prices/{asset}-USD/spot"] = reply

    def after(self, asset: str, reply: StubReply) -> StubReply:
        """Return a reply that waits until another asset has been asked for."""

        def wait(handler: BaseHTTPRequestHandler) -> None:
            while f"/v2/prices/{asset}-USD/spot" not in self.asked and not self.over.wait(0.005):
                pass
            reply(handler)

        return wait

    def close(self) -> None:
        self.over.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def stub_server() -> Iterator[StubServer]:
    server = StubServer()
    yield server
    server.close()


@pytest.fixture
def client(stub_server: StubServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Coinbase]:
    monkeypatch.setattr(coinbase, "CONNECT_SECONDS", 1.0)
    monkeypatch.setattr(coinbase, "READ_SECONDS", 0.3)
    client = Coinbase(stub_server.url)
    yield client
    client.close()


def spot_prices(client: Coinbase, assets: Collection[str]) -> dict[str, SpotAnswer]:
    """Return what Coinbase says of each asset, once it has said something of all."""
    news: SimpleQueue[Mapping[str, SpotAnswer | PriceRequested]] = SimpleQueue()
    client.request_spot_prices(assets, news.put)
    found: dict[str, SpotAnswer] = {}
    while len(found) < len(assets):
        found |= {asset: said for asset, said in news.get(timeout=10).items() if not isinstance(said, PriceRequested)}
    return found


def why_missing(answer: SpotAnswer) -> str:
    assert isinstance(answer, MissingPrice)
    return answer.text


def test_a_price_is_asked_for_at_the_documented_address(stub_server: StubServer, client: Coinbase) -> None:
    stub_server.quotes("FET", "0.52")
    assert spot_prices(client, ["FET"]) == {"FET": spot_price("0.52")}
    assert stub_server.asked == ["/v2/prices/FET-USD/spot"]


def test_no_token_no_request(stub_server: StubServer, client: Coinbase) -> None:
    assert spot_prices(client, []) == {}
    assert stub_server.asked == []


def test_all_prices_are_asked_for_side_by_side(stub_server: StubServer) -> None:
    together = threading.Barrier(coinbase.MAX_CONNECTIONS)  # passed only when all requests are there at once

    def met(handler: BaseHTTPRequestHandler) -> None:
        together.wait(timeout=4)
        says(b'{"data":{"amount":"1"}}')(handler)

    assets = [f"T{n}" for n in range(coinbase.MAX_CONNECTIONS)]
    for asset in assets:
        stub_server.replies_with(asset, met)
    patient = Coinbase(stub_server.url)
    assert spot_prices(patient, assets) == dict.fromkeys(assets, spot_price("1"))
    patient.close()


def test_connections_are_kept_alive(stub_server: StubServer, client: Coinbase) -> None:
    stub_server.quotes("FET", "1")
    for _ in range(3):
        spot_prices(client, ["FET"])
    assert len(stub_server.asked) == 3
    assert len(stub_server.connections) == 1


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True


def lie_about_the_length(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"data":')
    handler.close_connection = True


def claim_to_be_packed(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Encoding", "gzip")
    handler.send_header("Content-Length", "4")
    handler.end_headers()
    handler.wfile.write(b"text")


def send_elsewhere(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(302)
    handler.send_header("Location", "/v2/prices/GOOD-USD/spot")
    handler.send_header("Content-Length", "0")
    handler.end_headers()


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (says(b"", 404), "does not know it"),
        (says(b"", 400), "answered 400"),
        (says(b"", 429), "answered 429"),
        (says(b"", 500), "answered 500"),
        (says(b"<html>", 503), "answered 503"),
        (says(b"<html>"), "gave no price"),
        (says(answer('"0"')), "gave no usable price"),
        (send_elsewhere, "answered 302"),
        (hang_up, "does not answer"),
        (lie_about_the_length, "does not answer"),
        (claim_to_be_packed, "does not answer"),
    ],
)
def test_one_tokens_trouble_leaves_the_others_their_price(
    stub_server: StubServer, client: Coinbase, reply: StubReply, why: str
) -> None:
    stub_server.quotes("GOOD", "2")
    stub_server.replies_with("FET", stub_server.after("GOOD", reply))  # a 429 keeps from asking further
    spot = spot_prices(client, ["FET", "GOOD"])
    assert spot["GOOD"] == spot_price("2")
    assert why_missing(spot["FET"]).startswith(why)


def test_a_venue_that_hangs_is_given_up(stub_server: StubServer, client: Coinbase) -> None:
    stub_server.quotes("GOOD", "2")
    stub_server.replies_with("FET", lambda _: (stub_server.over.wait(5), None)[1])
    began = time.monotonic()
    spot = spot_prices(client, ["FET", "GOOD"])
    assert time.monotonic() - began < 2
    silent = MissingPrice(MissingPriceReason.SILENT, ("why", "ReadTimeoutError"))
    assert spot == {"FET": silent, "GOOD": spot_price("2")}


def test_a_venue_that_is_not_there_gives_no_price(stub_server: StubServer, client: Coinbase) -> None:
    stub_server.close()
    assert why_missing(spot_prices(client, ["FET"])["FET"]).startswith("does not answer")


def test_a_venue_that_trickles_is_given_up(stub_server: StubServer, client: Coinbase) -> None:
    def trickle(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "15")
        handler.end_headers()
        for _ in range(15):
            if stub_server.over.wait(0.1):
                return
            handler.wfile.write(b" ")
            handler.wfile.flush()

    stub_server.replies_with("FET", trickle)
    began = time.monotonic()
    spot_prices(client, ["FET"])
    assert time.monotonic() - began < 1


# --------------------------------------------------------------------------- both venues


class FakeBinance:
    """Has last prices, or trouble."""

    def __init__(self, prices: Mapping[str, str], trouble: str = "") -> None:
        self._prices = {pair: D(price) for pair, price in prices.items()}
        self._trouble = trouble
        self.asked: list[list[str]] = []

    def prices(self, pairs: Collection[str]) -> Mapping[str, Decimal]:
        self.asked.append(list(pairs))
        if self._trouble:
            raise TemporaryError(self._trouble)
        return {pair: self._prices[pair] for pair in pairs if pair in self._prices}

    def request_prices(self, pairs: Collection[str], callback: PricesCallback) -> None:
        try:
            callback(self.prices(pairs))
        except TemporaryError as error:
            callback(error)


def fetch(client: Coinbase, binance: FakeBinance, *symbols: str, **settings: object) -> tuple[dict[str, Quote], str]:
    return fetch_prices_for_symbols(symbols, some_settings(**settings), client, cast(Exchange, binance))


def test_each_token_gets_one_price_and_binance_one_request(stub_server: StubServer, client: Coinbase) -> None:
    for asset, amount in (("FET", "1.05"), ("OP", "2.5"), ("ARB", "3")):
        stub_server.quotes(asset, amount)
    binance = FakeBinance({"FETUSDT": "1", "OPUSDT": "2", "AGIXUSDT": "4"})
    quotes, trouble = fetch(client, binance, "FET", "OP", "ARB", "AGIX", "LUNA")
    assert {symbol: (quote.price, quote.source) for symbol, quote in quotes.items()} == {
        "FET": (D("1.05"), "Coinbase"),
        "OP": (D(2), "exchange"),  # 25 % off
        "ARB": (D(3), "Coinbase"),  # Binance has none
        "AGIX": (D(4), "exchange"),  # Coinbase has none
        "LUNA": (None, None),
    }
    assert trouble == ""
    assert binance.asked == [["FETUSDT", "OPUSDT", "ARBUSDT", "AGIXUSDT", "LUNAUSDT"]]
    assert len(stub_server.asked) == 5


def test_the_venues_are_asked_by_their_own_names(stub_server: StubServer, client: Coinbase) -> None:
    stub_server.quotes("ASI", "1")
    binance = FakeBinance({"FETXUSDC": "1"})
    names = {"FET": {"coinbase": "ASI", "binance": "FETX"}}
    quotes, _ = fetch(client, binance, "FET", symbols=names, quote_asset="USDC")
    assert quotes == {"FET": Quote(D(1), PriceSource.COINBASE, agrees=True)}
    assert (stub_server.asked, binance.asked) == (["/v2/prices/ASI-USD/spot"], [["FETXUSDC"]])


def test_the_owners_divergence_counts(stub_server: StubServer, client: Coinbase) -> None:
    stub_server.quotes("FET", "1.25")
    strategy = some_settings().strategy.model_dump() | {"max_price_divergence": D("0.25")}
    quotes, _ = fetch(client, FakeBinance({"FETUSDT": "1"}), "FET", strategy=strategy)
    assert quotes["FET"].source == "Coinbase"


def test_binances_trouble_leaves_coinbases_prices(stub_server: StubServer, client: Coinbase) -> None:
    stub_server.quotes("FET", "1")
    quotes, trouble = fetch(client, FakeBinance({}, trouble="Binance does not answer"), "FET", "OP")
    assert (quotes["FET"].price, quotes["OP"].price) == (D(1), None)
    assert trouble == "Binance does not answer"


def test_nothing_held_nothing_fetched(stub_server: StubServer, client: Coinbase) -> None:
    assert fetch(client, FakeBinance({})) == ({}, "")
    assert stub_server.asked == []


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ("", 30),
        ("5", 30),
        ("30", 30),
        ("31", 31),
        ("3600", 3600),
        ("90000", 3600),
        ("soon", 30),
        ("-1", 30),
        ("nan", 30),
    ],
)
def test_a_429_is_a_silence_of_half_a_minute_or_of_what_was_asked_for(told: str, seconds: float) -> None:
    assert coinbase._quiet_seconds(told) == seconds


def test_a_venue_that_asks_for_silence_is_left_alone(
    stub_server: StubServer, client: Coinbase, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(coinbase, "monotonic", lambda: now)
    stub_server.quotes("ADA", "1.5")
    stub_server.replies_with("FET", says(b"{}", 429, Retry_After="60"))
    assert spot_prices(client, ["FET"]) == {"FET": MissingPrice(MissingPriceReason.ANSWERED, ("status", 429))}
    now = 1059.0
    assert why_missing(spot_prices(client, ["ADA"])["ADA"]) == "asked to wait, 1 seconds are left"
    assert len(stub_server.asked) == 1
    now = 1060.0
    assert spot_prices(client, ["ADA"]) == {"ADA": spot_price("1.5")}


@pytest.mark.parametrize(
    ("currency", "other", "worth"),
    [("EUR", "USD", "1.25"), ("USD", "EUR", "0.8"), ("EUR", "EUR", "1"), ("USD", "USD", "1")],
)
def test_one_rate_converts_either_way_and_none_is_asked_for_within_a_currency(
    currency: str, other: str, worth: str
) -> None:
    market = EmbeddedMarket()
    body = answer('"1.25"', base="EUR").decode()
    market.faults.add(service="coinbase", match="EUR-USD", kind="status", status=200, body=body)
    with MarketServer(market) as server:
        prices = Coinbase(server.url, currency=currency)
        assert prices.rate_to(other) == D(worth)
        prices.close()
    assert market.requests["coinbase"] == (currency != other)


@pytest.mark.parametrize(("currency", "other"), [("EUR", "USD"), ("USD", "EUR")])
def test_a_rate_that_cannot_be_had_is_none(currency: str, other: str) -> None:
    market = EmbeddedMarket()
    market.faults.add(service="coinbase", match="EUR-USD", kind="status", status=500)
    with MarketServer(market) as server:
        prices = Coinbase(server.url, currency=currency)
        assert prices.rate_to(other) is None
        prices.close()
