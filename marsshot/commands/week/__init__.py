"""The week in a few lines: what the files tell of it, and how it is said."""
