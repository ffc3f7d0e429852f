"""Signs of life and messages to the owner. Never fails the loop and never makes it wait."""
