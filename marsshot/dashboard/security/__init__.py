"""Who may see the pages and press their buttons."""
