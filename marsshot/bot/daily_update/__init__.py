"""The daily update: when it goes on, its plan, its orders, and what is told of it. Holds no rule."""
