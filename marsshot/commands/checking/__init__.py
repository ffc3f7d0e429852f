"""`main.py check`: what it looks at, a subject a module, and what there is to mend."""
