"""What the processes beside the bot cost."""
