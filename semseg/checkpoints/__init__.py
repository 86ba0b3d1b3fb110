"""Checkpoint files: their names, how they are read, and the description that they contain."""
