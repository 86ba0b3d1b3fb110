#!/usr/bin/env python
"""Evaluate a model: python tools/test.py [CONFIG] CHECKPOINT [--show-dir DIR] [--tta]"""

from semseg.cli.program import run_tool
from semseg.cli.test import main

if __name__ == "__main__":
    run_tool(main)
