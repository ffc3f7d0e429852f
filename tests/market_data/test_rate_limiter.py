"""The limit of requests per minute, whatever the answers take: never broken, and no second wasted."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from marsshot.infra.clock import VirtualClock
from marsshot.market_data.rate_limiter import RateLimiter

NOWHERE = Path(__file__) / "no such folder" / "requests.json"  # the times stay in memory
TICK = 1e-5  # the clock counts microseconds


@given(st.integers(1, 10), st.lists(st.floats(0, 45), min_size=1, max_size=40))
def test_no_minute_sees_more_than_the_limit_and_no_wait_is_longer_than_it_must(limit: int, taken: list[float]) -> None:
    clock = VirtualClock(datetime(2024, 6, 30, tzinfo=UTC))
    pacer = RateLimiter(limit, NOWHERE, clock)
    sent, answered = [], []
    for seconds in taken:
        pacer.acquire()
        sent.append(clock.now().timestamp())
        clock.sleep(seconds)
        pacer.count_at_response()
        answered.append(clock.now().timestamp())
    for number in range(limit, len(taken)):
        # The source may count a request anywhere between its start and its answer.
        assert sent[number] - answered[number - limit] > 60
        assert sent[number] <= max(answered[number - 1], answered[number - limit] + 60.1) + TICK
