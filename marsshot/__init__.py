"""What the scripts at the top share, one folder a subject. Arrows point one way: see CONTRIBUTING.md."""
