"""What the demo does around the bot and shows. The trading in it is the bot's own."""
