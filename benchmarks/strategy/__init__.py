"""What the strategy comes to over recorded years."""
