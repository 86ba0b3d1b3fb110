#!/usr/bin/env python
"""Score masks against masks: python tools/evaluate.py PREDICTIONS TARGETS [--roi DIR] [--classes FILE]"""

from semseg.cli.evaluate import main
from semseg.cli.program import run_tool

if __name__ == "__main__":
    run_tool(main)
