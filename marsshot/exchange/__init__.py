"""What the executor needs of an exchange, an order's life, and one folder a venue. Never decides what to trade."""
