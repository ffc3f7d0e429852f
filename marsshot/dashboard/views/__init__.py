"""The pages and their buttons, as Flask calls them."""
