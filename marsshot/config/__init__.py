"""What config.yaml may hold, and reading it. Never fetches or trades."""
