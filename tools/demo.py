#!/usr/bin/env python
"""Run the complete workflow on drawn streets: draw, convert, train, test, infer, report. `make demo` runs it."""

import os
from pathlib import Path

from semseg.cli.demo import main
from semseg.cli.program import run_tool

if __name__ == "__main__":
    os.chdir(Path(__file__).parents[1])
    run_tool(main)
