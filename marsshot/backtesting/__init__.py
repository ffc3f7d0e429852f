"""The bot over recorded history: the same rooms as live, with clock, market, disk and scores in memory.

`backtest.py` is its command. No trading room imports this package; it holds no rule of trading.
"""
