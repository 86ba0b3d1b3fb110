"""Files, folders, processes and what this machine has: nothing of images or models."""
