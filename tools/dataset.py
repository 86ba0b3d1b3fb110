#!/usr/bin/env python
"""Create, import, export, check and view data sets."""

from semseg.cli.groups import data
from semseg.cli.program import run_tool

if __name__ == "__main__":
    run_tool(data)
