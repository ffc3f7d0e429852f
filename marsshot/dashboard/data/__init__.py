"""Reads the bot's files for the pages. Never writes one."""
