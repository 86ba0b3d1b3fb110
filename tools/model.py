#!/usr/bin/env python
"""Look at trained models, and hand them on."""

from semseg.cli import model, model_export
from semseg.cli.program import run_command, run_tool


def main() -> int:
    return run_command(
        __doc__,
        model.add_describe,
        model.add_publish,
        model_export.add_export,
    )


if __name__ == "__main__":
    run_tool(main)
