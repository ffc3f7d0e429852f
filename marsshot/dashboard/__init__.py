"""The bot's state in a browser: reads the bot's files, never writes them; its buttons speak through control.py."""
