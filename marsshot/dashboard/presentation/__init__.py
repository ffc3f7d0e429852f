"""From values to what a page shows: figures, lists, charts. Reads no file."""
