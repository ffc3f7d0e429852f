"""Clock, atomic files, event log, console, background work. Knows nothing of trading."""
