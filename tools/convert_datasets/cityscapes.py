#!/usr/bin/env python
"""Convert Cityscapes: python tools/convert_datasets/cityscapes.py ROOT [--nproc N]"""

from semseg.cli.convert_cityscapes import main
from semseg.cli.program import run_tool

if __name__ == "__main__":
    run_tool(main)
