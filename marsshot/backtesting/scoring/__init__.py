"""The scores of each day, from models that knew the days before it alone."""
