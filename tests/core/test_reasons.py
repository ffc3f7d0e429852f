"""The table of reasons."""

from __future__ import annotations

from marsshot.core.reasons import OrderReason


def test_no_two_reasons_of_orders_have_the_same_initials() -> None:
    """A client order id says by them why the order was sent."""
    assert len({reason.initials for reason in OrderReason}) == len(OrderReason)
