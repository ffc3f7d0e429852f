"""One round of the bot, the loop around it, the daily update, the owner's requests. Holds no rule."""
