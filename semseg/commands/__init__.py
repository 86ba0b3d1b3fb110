"""The sub-commands of `tools/dataset.py`, one file each: what they parse, and what they call.

Nothing heavy is imported before a command runs, so that `--help` is instant.
"""
