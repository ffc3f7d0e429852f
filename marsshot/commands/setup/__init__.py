"""What `main.py setup` does: asks, checks at once, writes config.yaml and the file of keys, and runs check."""
