"""The sub-commands of `tools/dataset.py`, `model.py` and `analyze.py`, one file each: what they parse, and what they call.

Nothing heavy is imported before a command runs, so that `--help` is instant.
"""
