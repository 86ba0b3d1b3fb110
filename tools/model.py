#!/usr/bin/env python
"""Look at trained models, and hand them on."""

from semseg.cli.groups import trained_model
from semseg.cli.program import run_tool

if __name__ == "__main__":
    run_tool(trained_model)
