"""LunarCrush's endpoint as the stand-in serves it, with made-up social scores."""
