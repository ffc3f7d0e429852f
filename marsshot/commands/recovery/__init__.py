"""What is kept for a bad day: the archive and its return, and the book made again from the exchange."""
