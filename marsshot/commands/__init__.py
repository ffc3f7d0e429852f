"""What main.py's commands do. Holds no rule."""
