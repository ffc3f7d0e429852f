"""Pages, pictures and tables for people. Decides nothing."""
