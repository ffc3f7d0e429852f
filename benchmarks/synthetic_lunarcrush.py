"""Answers of LunarCrush about synthetic coins: random walks with every field that a daily point has."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

DAY_SECONDS = 86_400
COUNTS = "contributors_active contributors_created interactions posts_active posts_created spam".split()


def answer_about(symbol: str, days: int, end: int, seed: int) -> bytes:
    """Return the body of one answer: so many daily points, the last on the day before `end` (unix seconds)."""
    random = np.random.default_rng(seed)
    close = np.exp(random.normal(0, 2) + np.cumsum(random.standard_t(4, days) * 0.03))
    opening = close * (1 + random.normal(0, 0.01, days))
    spread = np.abs(random.normal(0, 0.01, (2, days)))
    columns: dict[str, list[Any]] = {
        "time": (end - DAY_SECONDS * np.arange(days, 0, -1)).tolist(),
        "open": opening.tolist(),
        "high": (np.maximum(opening, close) * (1 + spread[0])).tolist(),
        "low": (np.minimum(opening, close) * (1 - spread[1])).tolist(),
        "close": close.tolist(),
        "volume_24h": np.round(random.lognormal(17, 1, days), 2).tolist(),
        "market_cap": np.round(close * 1e8, 2).tolist(),
        "market_dominance": random.uniform(0, 1, days).tolist(),
        "circulating_supply": [100_000_000] * days,
        "sentiment": random.integers(50, 100, days).tolist(),
        "galaxy_score": np.round(random.uniform(20, 80, days), 1).tolist(),
        "alt_rank": random.integers(1, 4000, days).tolist(),
        "social_dominance": random.uniform(0, 1, days).tolist(),
    }
    for name in COUNTS:
        columns[name] = random.integers(1, 10_000, days).tolist()
    points = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    return json.dumps({"config": {"symbol": symbol, "bucket": "day"}, "data": points}).encode()
