"""How the book changes, how it looks on disk, how it is compared with the account. Pure: never sends or saves."""
