#!/usr/bin/env python
"""Understand a run: its curves, its numbers, its mistakes."""

from semseg.cli import compare, curves, explain, gap, report
from semseg.cli.program import run_command, run_tool


def main() -> int:
    return run_command(
        __doc__,
        curves.add_curves,
        explain.add_explain,
        report.add_report,
        compare.add_compare,
        gap.add_gap,
    )


if __name__ == "__main__":
    run_tool(main)
