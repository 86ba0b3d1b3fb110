#!/usr/bin/env python
"""Look at trained models, and hand them on."""

import argparse

from semseg.cli import add_debug_flag, run_tool
from semseg.commands import model, model_export


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(title="sub-commands", metavar="COMMAND", required=True)
    model.add_describe(commands)
    model.add_publish(commands)
    model_export.add_export(commands)
    for command in commands.choices.values():
        add_debug_flag(command)
    args = parser.parse_args()
    return args.run(args)


if __name__ == "__main__":
    run_tool(main)
