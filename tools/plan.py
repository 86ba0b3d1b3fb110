#!/usr/bin/env python
"""Plan a training for a data set and a machine."""

from semseg.cli.plan import main
from semseg.cli.program import run_tool

if __name__ == "__main__":
    run_tool(main)
