"""What is told of a run: terminal, page, files."""
