#!/usr/bin/env python
"""Describe, publish and export trained models; compare models."""

from semseg.cli.groups import trained_model
from semseg.cli.program import run_tool

if __name__ == "__main__":
    run_tool(trained_model)
