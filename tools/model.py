#!/usr/bin/env python
"""List and compare models; describe, publish and export trained ones."""

from semseg.cli.groups import trained_model
from semseg.cli.program import run_tool

if __name__ == "__main__":
    run_tool(trained_model)
