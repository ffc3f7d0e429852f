"""What `make paper` does: settings for today's market, data, model, dashboard and bot, by one command."""
