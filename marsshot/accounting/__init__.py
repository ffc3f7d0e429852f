"""What the accountant gets: trades, costs and gains. Never fetches a rate."""
