"""The signature that Bitvavo publishes, and client order ids that are UUIDs and tell what they are of."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marsshot.core.reasons import OrderReason
from marsshot.exchange.bitvavo.order_ids import is_uuid, new_order_id, read_order_id
from marsshot.exchange.bitvavo.signing import signature

BODY = b'{"market":"BTC-EUR","side":"buy","price":"5000","amount":"1.23","orderType":"limit"}'
SIGNED = "44d022723a20973a18f7ee97398b9fdd405d2d019c8d39e24b8cc0dcb39ca016"
MOMENT_MS = 1548172481125


def test_a_request_is_signed_as_bitvavos_own_example_is() -> None:
    assert signature("bitvavo", MOMENT_MS, "POST", "/v2/order", BODY) == SIGNED


@pytest.mark.parametrize(
    ("moment_ms", "method", "path", "body"),
    [
        (MOMENT_MS + 1, "POST", "/v2/order", BODY),
        (MOMENT_MS, "GET", "/v2/order", BODY),
        (MOMENT_MS, "POST", "/v2/order?x=1", BODY),
        (MOMENT_MS, "POST", "/v2/order", BODY + b" "),
    ],
)
def test_every_byte_that_is_sent_is_signed(moment_ms: int, method: str, path: str, body: bytes) -> None:
    assert signature("bitvavo", moment_ms, method, path, body) != SIGNED


@given(st.integers(1, 2**53 - 1), st.integers(0, 2**32 - 1), st.sampled_from(OrderReason))
def test_an_id_is_a_uuid_of_version_4_that_tells_serial_and_reason(
    operator_id: int, serial: int, reason: OrderReason
) -> None:
    name = new_order_id(operator_id, serial, reason)
    assert UUID(name).version == 4
    assert is_uuid(name)
    assert read_order_id(name, operator_id) == (serial, reason)


def test_two_orders_never_have_one_id() -> None:
    assert len({new_order_id(7, 1, OrderReason.STOP_LOSS) for _ in range(1000)}) == 1000


def test_an_id_of_another_bot_or_program_is_not_ours() -> None:
    foreign = [new_order_id(8, 1, OrderReason.STOP_LOSS) for _ in range(50)]
    assert [name for name in foreign if read_order_id(name, 7)] == []
    assert read_order_id("2be7d0df-d8dc-4b93-a550-8876f3b393e9", 7) is None


@pytest.mark.parametrize(
    "name", ["", "ms-1613349000000-9-db", "2be7d0df", "2be7d0dfd8dc4b93a5508876f3b393e9", "x" * 36]
)
def test_what_is_no_uuid_is_nobodys(name: str) -> None:
    assert not is_uuid(name)
    assert read_order_id(name, 7) is None
