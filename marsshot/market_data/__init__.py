"""Daily bars and spot prices: requests, rate limits, cache. Knows no rule."""
