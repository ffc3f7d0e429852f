"""What the model is worth on recorded bars: recipes beside yardsticks that need no model."""
