"""What is done to files before training: each module reads a folder and leaves files in it."""
