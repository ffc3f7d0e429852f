"""A stand-in for Telegram's Bot API on a loopback port: one bot, and the people who write to it."""
