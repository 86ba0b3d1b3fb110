#!/usr/bin/env python
"""Analyze runs: curves, scores and errors."""

from semseg.cli.groups import analyze
from semseg.cli.program import run_tool

if __name__ == "__main__":
    run_tool(analyze)
