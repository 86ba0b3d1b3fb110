#!/usr/bin/env python
"""Make, bring in, check and look at data sets."""

import argparse

from semseg.cli import add_debug_flag, run_tool
from semseg.commands import check, cityscapes, imports, look, splits, toycity


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(title="sub-commands", metavar="COMMAND", required=True)
    toycity.add_toycity(commands)
    cityscapes.add_download(commands)
    imports.add_import(commands)
    splits.add_split(commands)
    check.add_check(commands)
    look.add_browse(commands)
    look.add_stats(commands)
    cityscapes.add_submit(commands)
    for command in commands.choices.values():
        add_debug_flag(command)
    args = parser.parse_args()
    return args.run(args)


if __name__ == "__main__":
    run_tool(main)
