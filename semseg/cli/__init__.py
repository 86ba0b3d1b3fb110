"""The sub-commands of the programs in `tools/` that have some: what they parse, and what they call.

Nothing heavy is imported before a command runs, so that `--help` is instant.
"""
