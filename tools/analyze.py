#!/usr/bin/env python
"""Understand a run: its curves, its numbers, its mistakes."""

from semseg.cli.groups import analyze
from semseg.cli.program import run_tool

if __name__ == "__main__":
    run_tool(analyze)
