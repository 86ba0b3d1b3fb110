"""Command-line programs: one module for each sub-command or program.

Heavy packages are imported inside the functions that run a command, so that `--help` is fast.
"""
