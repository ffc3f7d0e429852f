"""One run of the bot over recorded bars, in memory. Copies no rule."""
