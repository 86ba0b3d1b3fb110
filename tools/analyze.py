#!/usr/bin/env python
"""Understand a run: its curves, its numbers, its mistakes."""

import argparse

from semseg.cli import add_debug_flag, run_tool
from semseg.commands import compare, curves, explain, report


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(title="sub-commands", metavar="COMMAND", required=True)
    curves.add_curves(commands)
    explain.add_explain(commands)
    report.add_report(commands)
    compare.add_compare(commands)
    for command in commands.choices.values():
        add_debug_flag(command)
    args = parser.parse_args()
    return args.run(args)


if __name__ == "__main__":
    run_tool(main)
