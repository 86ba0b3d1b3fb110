#!/usr/bin/env python
"""Segment photographs and videos: python tools/infer.py [CONFIG] CHECKPOINT INPUT… --out-dir outputs"""

from semseg.cli.infer import main
from semseg.cli.program import run_tool

if __name__ == "__main__":
    run_tool(main)
