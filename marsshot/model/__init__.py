"""Features, model files and their integrity. Never trains and never trades."""
