#!/usr/bin/env python
"""Try a model on a page in the browser: python tools/serve.py [CONFIG] CHECKPOINT"""

from semseg.cli.program import run_tool
from semseg.cli.serve import main

if __name__ == "__main__":
    run_tool(main)
