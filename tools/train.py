#!/usr/bin/env python
"""Train a model: python tools/train.py CONFIG [--work-dir DIR] [--cfg-options key.path=value ...]"""

from semseg.cli.program import run_tool
from semseg.cli.train import main

if __name__ == "__main__":
    run_tool(main)
